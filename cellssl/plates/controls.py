"""Which wells are controls: `negative`, `positive`, or neither."""

import logging
import shlex

import pandas as pd

from cellssl.columns import CONTROL, bare_name, find_column
from cellssl.controls import rows_with, tidy_controls
from cellssl.errors import PlateError, nearest
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

_UNTREATED = ("dmso", "vehicle", "untreated", "mock")  # as plate maps call what is no compound


def mark_controls(
    fields: pd.DataFrame,
    column: str | None = None,
    *,
    negative: str | None = None,
    positive: str | None = None,
) -> pd.DataFrame:
    """Fill ``Metadata_Control`` from the values of a column, or tidy the one that is there.

    Parameters
    ----------
    fields
        Table with ``Metadata_*`` columns.
    column
        The column to look at (any case, with or without ``Metadata_``); by default the compound.
    negative, positive
        Its values for the two kinds of control; numbers compare as numbers, so `-1` is `-1.0`, and
        capitals do not count where no well has the value as it is written.

    Raises
    ------
    PlateError
        When there is no such column, or one of the values does not stand in it.
    """
    if negative is None and positive is None:
        if column is not None:
            raise PlateError(
                f"the control column {column!r} needs the values that mark controls: "
                "give --negative, --positive or both."
            )
        marks = pd.Series(
            tidy_controls(fields[CONTROL]) if CONTROL in fields else "", index=fields.index
        )
        if not marks.eq("negative").any():
            _say_untreated(fields)
        return fields.assign(Metadata_Control=marks)
    told = fields.filter(like="Metadata_")
    name = find_column(told, column or "Compound")
    if name is None:
        has = ", ".join(map(bare_name, told))
        raise PlateError(f"the metadata have no column {column or 'Compound'!r}; they have {has}.")
    marks = pd.Series("", index=fields.index)
    for kind, value in (("positive", positive), ("negative", negative)):
        if value is None:
            continue
        hit = rows_with(fields[name], value)
        if not hit.any():
            values = sorted(map(str, fields[name].unique()))
            raise PlateError(
                f"no well has {value!r} in {name}, which was to mark the {kind} controls; "
                f"values there: {listed(values, most=8)}{nearest(value, values, listed=True)}"
            )
        marks[hit] = kind
    return fields.assign(Metadata_Control=marks)


def _say_untreated(fields: pd.DataFrame) -> None:
    """Say how wells that seem to be controls are marked as such."""
    name = find_column(fields.filter(like="Metadata_"), "Compound")
    values = [] if name is None else sorted(map(str, fields[name].unique()))
    found = [value for value in values if value.strip().lower() in _UNTREATED]
    if found:
        _LOG.info(
            "wells of %s are not marked as negative controls: --negative %s marks them",
            listed(found),
            shlex.quote(found[0]),
        )
