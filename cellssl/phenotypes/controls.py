"""Which cells are negative controls."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import CONTROL
from cellssl.controls import control_kinds, foreign_kinds, rows_with
from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.columns import require_column, text_values
from cellssl.words import listed

_LOG = logging.getLogger(__name__)

CONTROLS = f"{CONTROL}=negative"


def control_column(obs: pd.DataFrame, control: str | None) -> str | None:
    """Find the column of controls that is meant; the usual one may be missing: nothing is a control then.

    Raises
    ------
    EmbeddingError
        When another one was named, and is not there or calls no cell negative.
    """
    if control in (None, CONTROL):
        if (
            control in obs
            and not is_negative(obs, CONTROL).any()
            and (foreign := foreign_kinds(obs[CONTROL]))
        ):
            _LOG.warning(
                "%s calls no cell 'negative' (or 'negcon'), so that none is a negative control; it has %s",
                CONTROL,
                listed(foreign, most=8),
            )
        return control
    name, sign, value = str(control).partition("=")
    if sign and control not in obs:
        raise EmbeddingError(
            f"controls are told here by a column that says 'negative', got {control!r}. Make one: "
            f"cells.obs[{CONTROL!r}] = (cells.obs[{name!r}] == {value!r}).map({{True: 'negative', False: ''}})"
        )
    given = require_column(obs, str(control), purpose="the negative controls")
    name = str(given.name)
    if not is_negative(obs, name).any():
        there = np.unique(text_values(given, name)).tolist()
        raise EmbeddingError(
            f"{name} calls no cell 'negative' (or 'negcon'); there are {listed(there, most=8)}: name the "
            "column that does."
        )
    return name


def is_negative(obs: pd.DataFrame, control: str | None) -> NDArray[np.bool_]:
    """Say of each cell whether it is a negative control, as `control_kinds` reads the column."""
    if not control or control not in obs.columns:
        return np.zeros(len(obs), dtype=bool)
    return control_kinds(obs[control]) == "negative"


def control_cells(obs: pd.DataFrame, controls: str | None = None) -> NDArray[np.bool_] | None:
    """Tell which cells are negative controls.

    Parameters
    ----------
    obs : DataFrame (N rows)
    controls : str, optional
        COLUMN=VALUE that they have; when left out, Metadata_Control says so, as `control_kinds` reads it.
        Capitals do not count where no cell has the value as it is written.

    Returns
    -------
    (N,) bool or None
        None when nothing was asked for and there is no column Metadata_Control.

    Raises
    ------
    EmbeddingError
        When what was asked for is not there.
    """
    if controls is None:
        return is_negative(obs, CONTROL) if CONTROL in obs.columns else None
    name, sign, value = controls.partition("=")
    if not sign or not value:
        raise EmbeddingError(f"controls {controls!r}: wanted COLUMN=VALUE, {CONTROLS} say.")
    given = require_column(obs, name, purpose="the negative controls")
    found = rows_with(given, value)
    if not found.any():
        there = np.unique(text_values(given, name)).tolist()
        raise EmbeddingError(
            f"no cell has {name} {value!r}; there are {listed(there, most=8)}"
            f"{nearest(value, there, listed=True)}"
        )
    return found
