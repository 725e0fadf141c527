"""Columns of the cells' table as names and numbers."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import one_name
from cellssl.columns import PLATE, WELL, find_column, text_array, texts_of
from cellssl.errors import EmbeddingError, nearest
from cellssl.words import NOTHING

_LOG = logging.getLogger(__name__)

_EMPTY = (*NOTHING, "<na>", "unknown")  # in small letters
# A column of so many different fractional numbers is a measurement, not a set of classes.
MOST_NUMBERS = 50


def require_column(obs: pd.DataFrame, name: str, *, purpose: str) -> pd.Series:
    """Give a column of obs, or say which exist; without ``Metadata_`` in front it is found in any case.

    Raises
    ------
    EmbeddingError
        With the nearest name.
    """
    # With it a name is the contract's own, which other code goes on to ask for as it is written.
    name = one_column(name)
    alike = None if name.startswith("Metadata_") else find_column(obs.columns, name)
    for known in (name, f"Metadata_{name}", alike):
        if known in obs.columns:
            return obs[known]
    there = ", ".join(map(str, obs.columns)) or "no columns"
    raise EmbeddingError(
        f"no column {name!r} ({purpose}); there are {there}"
        f"{nearest(name, obs.columns, listed=True)}"
    )


def one_column(name: object) -> str:
    """Take a column's name; neither several, nor the column itself."""
    return one_name(name, 'put what you mean into a column, obs["mine"] = …', error=EmbeddingError)


def text_column(obs: pd.DataFrame, name: str) -> NDArray[np.str_] | None:
    """Give a column as text, empty where nothing is known; None when it is absent."""
    return text_array(texts_of(obs[name])) if name in obs else None


def text_values(values: pd.Series, name: str) -> NDArray[np.str_]:
    """Turn a column into text; missing becomes empty, 1.0 becomes "1".

    Raises
    ------
    EmbeddingError
        When the column holds measurements rather than names.
    """
    if not pd.api.types.is_float_dtype(values):
        return text_array(texts_of(values))
    present = values.dropna()
    if (present % 1 != 0).any() and present.nunique() > MOST_NUMBERS:
        raise EmbeddingError(
            f"{name} holds {present.nunique()} different numbers, wanted names of classes: "
            "bin it into a new column first (of crops: `cellssl crops label`)."
        )
    return number_texts(values)


def say_empty_names(names: NDArray[np.str_], column: str) -> None:
    """Say which names count as any other, and read like a gap."""
    for name in np.unique(names).tolist():
        if name.lower() in _EMPTY:
            _LOG.warning(
                "%s of %d cells is the text %r, which counts as a name like others: leave it empty where "
                "nothing is known.",
                column,
                int((names == name).sum()),
                name,
            )


def number_texts(numbers: pd.Series) -> NDArray[np.str_]:
    """Write numbers as texts, 1.0 as "1" and a gap as the empty one; whole ones with all their digits."""
    texts = numbers.map(
        lambda one: f"{one:g}" if one % 1 else f"{one:.0f}", na_action="ignore"
    ).astype(object)
    return text_array(texts.where(numbers.notna(), ""))


def well_names(obs: pd.DataFrame) -> NDArray[np.str_] | None:
    """Plate and well of each cell in one word; None when no well is known."""
    wells, plates = text_column(obs, WELL), text_column(obs, PLATE)
    if wells is None or plates is None:
        return wells
    return np.char.add(np.char.add(plates, "/"), wells)


def cell_counts(obs: pd.DataFrame) -> NDArray[np.int64]:
    """How many cells stand behind each row: one, or what profiles say (`Metadata_Cells`)."""
    if "Metadata_Cells" not in obs.columns:
        return np.ones(len(obs), dtype=np.int64)
    counts = pd.to_numeric(obs["Metadata_Cells"], errors="coerce")
    if counts.isna().any() or (counts < 1).any() or (counts % 1 != 0).any():
        raise EmbeddingError(
            "Metadata_Cells must count the cells of each row: whole numbers, 1 up."
        )
    return counts.to_numpy(dtype=np.int64)


def column_codes(obs: pd.DataFrame, name: str) -> NDArray[np.int64] | None:
    """Turn a column into numbers; None when it is absent or empty."""
    if name not in obs.columns:
        return None
    values = texts_of(obs[name])
    return None if (values == "").all() else pd.factorize(values)[0].astype(np.int64)
