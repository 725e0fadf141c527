"""Which cells are negative controls."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError, nearest
from cellssl.phenotypes.columns import column, text_values
from cellssl.words import listed

__all__ = ["control_cells", "is_negative"]

CONTROLS = "Metadata_Control=negative"


def is_negative(obs: pd.DataFrame, control: str | None) -> NDArray[np.bool_]:
    """Say of each cell whether it is a negative control."""
    if not control or control not in obs.columns:
        return np.zeros(len(obs), dtype=bool)
    return text_values(obs[control], control) == "negative"


def control_cells(obs: pd.DataFrame, controls: str | None = None) -> NDArray[np.bool_] | None:
    """Tell which cells are negative controls.

    Parameters
    ----------
    obs : DataFrame (N rows)
    controls : str, optional
        COLUMN=VALUE that they have; Metadata_Control=negative when left out.

    Returns
    -------
    (N,) bool or None
        None when nothing was asked for and there is no column Metadata_Control.

    Raises
    ------
    EmbeddingError
        When what was asked for is not there.
    """
    name, sign, value = (controls or CONTROLS).partition("=")
    if controls is None and name not in obs.columns:
        return None
    if not sign or not value:
        raise EmbeddingError(f"controls {controls!r}: wanted COLUMN=VALUE, {CONTROLS} say.")
    values = text_values(column(obs, name, purpose="the negative controls"), name)
    found = values == value
    if controls is not None and not found.any():
        there = np.unique(values).tolist()
        raise EmbeddingError(
            f"no cell has {name} {value!r}; there are {listed(there, most=8)}"
            f"{nearest(value, there, listed=True)}"
        )
    return found
