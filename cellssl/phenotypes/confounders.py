"""What is no biology and may still be what clusters show: plate, batch, and the place on the plate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.columns import column_codes, split_well, well_names

__all__ = ["CONFOUNDERS", "Confounder", "find_confounders"]

# Name → the column whose absence leaves it unknown.
CONFOUNDERS = {
    "plate": "Metadata_Plate",
    "batch": "Metadata_Batch",
    "row": "Metadata_Well",
    "column": "Metadata_Well",
    "edge": "Metadata_Well",
}
# Rows and columns of the usual plates: the smallest that holds every well is taken.
PLATES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))


@dataclass(frozen=True)
class Confounder:
    """One of them, of m cells.

    Attributes
    ----------
    codes : (m,) int64
        Its value at each cell.
    groups : (m,) int64 or None
        What it is predicted across, so that no cell is told by its neighbours in the same well: plate
        and batch from other wells, the place on the plate from other plates where there are several.
    split : str
        What these groups are.
    """

    codes: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    split: str


def find_confounders(obs: pd.DataFrame) -> dict[str, Confounder | None]:
    """Find plate, batch, row, column and edge of each cell; None where the cells do not say.

    Parameters
    ----------
    obs : DataFrame (m rows)
        `Metadata_Plate`, `Metadata_Batch`, and `Metadata_Well` as A01. The edge is the outermost row
        and column of the smallest usual plate (6 to 1,536 wells) that holds every well.
    """
    plates, wells = column_codes(obs, "Metadata_Plate"), well_names(obs)
    by_well = None if wells is None else pd.factorize(wells)[0].astype(np.int64)
    several = plates is not None and len(np.unique(plates)) > 1
    apart, split = (plates, "plates") if several else (by_well, "wells")
    found: dict[str, Confounder | None] = {
        name: None
        if codes is None
        else Confounder(codes, by_well, "none" if wells is None else "wells")
        for name, codes in (("plate", plates), ("batch", column_codes(obs, "Metadata_Batch")))
    }
    places = _places(obs)
    for name in ("row", "column", "edge"):
        found[name] = None if places is None else Confounder(places[name], apart, split)
    return found


def _places(obs: pd.DataFrame) -> dict[str, NDArray[np.int64]] | None:
    """Read row, column and edge from the wells; None where one of them is no well."""
    if "Metadata_Well" not in obs.columns:
        return None
    codes, names = pd.factorize(obs["Metadata_Well"].astype(str))
    found = [split_well(name) for name in names]
    if not found or any(place is None for place in found):
        return None
    rows = np.array([_row(place[0]) for place in found if place is not None])
    columns = np.array([place[1] for place in found if place is not None])
    sizes = [size for size in PLATES if rows.max() <= size[0] and columns.max() <= size[1]]
    height, width = sizes[0] if sizes else (rows.max(), columns.max())
    edge = (rows == 1) | (rows == height) | (columns == 1) | (columns == width)
    places = {"row": rows, "column": columns, "edge": edge}
    return {name: values[codes].astype(np.int64) for name, values in places.items()}


def _row(letters: str) -> int:
    """Turn a row into its number: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
