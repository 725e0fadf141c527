"""Wells that quality control left hardly a cell of, by the table of fields that cropping writes."""

from collections.abc import Iterator

import pandas as pd

from cellssl.columns import PLATE, WELL, row_names
from cellssl.words import counted, listed

_THINNED = 0.5  # of a well's cells that one reason takes
_USUAL = 0.1  # likewise of the plate's usual well
_CELLS = 20  # that a well has at least, for its shares to say something


def wells_that_lost_cells(fields: pd.DataFrame) -> Iterator[str]:
    """Say of which wells quality control took all or most cells, and how they are kept."""
    for found, what in (
        (_lost_wells(fields), "kept no cell, since they were dropped as {reason} ({wells})"),
        (
            _thinned_wells(fields),
            "lost most cells as {reason}, of which the usual well of the plate loses few ({wells}): what is left shows "
            "the others only",
        ),
    ):
        for reason, wells in found.items():
            said = what.format(reason=reason.replace("_", " "), wells=listed(wells))
            yield (
                f"{counted(len(wells), 'well')} {said}. Where that is what a treatment does to cells or stains, "
                f"--keep {reason} keeps them"
            )


def _lost_wells(fields: pd.DataFrame) -> dict[str, list[str]]:
    """Find wells without a cell left though crops could hold some, by the reason that took most of them.

    Examples
    --------
    >>> names = [PLATE, WELL, "kept", "dropped_border", "dropped_noise"]
    >>> rows = [("P1", "A01", 7, 9, 1), ("P1", "A02", 0, 9, 7), ("P1", "A03", 0, 9, 0)]
    >>> _lost_wells(pd.DataFrame(rows, columns=names))
    {'noise': ['P1/A02']}
    """
    wells = _by_well(fields)
    reasons = [str(name) for name in wells][1:]
    lost = wells.loc[(wells["kept"] == 0) & (wells[reasons].sum(axis=1) > 0), reasons]
    result: dict[str, list[str]] = {}
    for place, counts in zip(
        row_names(lost.index.to_frame()), lost.to_numpy().tolist(), strict=True
    ):
        reason = reasons[counts.index(max(counts))].removeprefix("dropped_")
        result.setdefault(reason, []).append(place)
    return result


def _thinned_wells(fields: pd.DataFrame) -> dict[str, list[str]]:
    """Find wells of which one reason took most cells but not all, and few of their plate's usual well.

    Whole fields that are no good say nothing of what was done to a well's cells.

    Examples
    --------
    >>> names = [PLATE, WELL, "kept", "dropped_noise", "dropped_field_focus"]
    >>> rows = [("P1", "A01", 40, 1, 0), ("P1", "A02", 9, 31, 0), ("P1", "A03", 9, 0, 31)]
    >>> _thinned_wells(pd.DataFrame(rows, columns=names))
    {'noise': ['P1/A02']}
    """
    wells = _by_well(fields)
    cut = wells.sum(axis=1)
    result = {}
    for reason in [str(name) for name in wells]:
        if reason.startswith(("kept", "dropped_field")):
            continue
        share = (wells[reason] / cut)[(cut >= _CELLS) & (wells["kept"] > 0)]
        usual = share.groupby(level=0).transform("median")
        thinned = share.index[(share > _THINNED) & (usual < _USUAL)]
        if len(thinned):
            result[reason.removeprefix("dropped_")] = row_names(thinned.to_frame())
    return result


def _by_well(fields: pd.DataFrame) -> pd.DataFrame:
    """Count the cells of each well that were kept, and dropped for each reason but the border."""
    reasons = [
        str(name)
        for name in fields
        if str(name).startswith("dropped_") and name != "dropped_border"
    ]
    return fields.groupby([PLATE, WELL], sort=False)[["kept", *reasons]].sum()
