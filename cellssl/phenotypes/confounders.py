"""What is no biology and may still be what clusters show: plate, batch, and the place on the plate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import PlateError
from cellssl.phenotypes.columns import column_codes, well_names
from cellssl.wells import plate_format, well_place

__all__ = ["CONFOUNDERS", "Confounder", "find_confounders"]

# Name → the column whose absence leaves it unknown.
CONFOUNDERS = {
    "plate": "Metadata_Plate",
    "batch": "Metadata_Batch",
    "row": "Metadata_Well",
    "column": "Metadata_Well",
    "edge": "Metadata_Well",
}


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
        and column of the plate that `plate_format` takes all the wells for.
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
    try:
        found = [well_place(name) for name in names]
    except PlateError:
        return None
    if not found:
        return None
    rows, columns = np.array(found).T + 1
    height, width = plate_format(found)
    edge = (rows == 1) | (rows == height) | (columns == 1) | (columns == width)
    places = {"row": rows, "column": columns, "edge": edge}
    return {name: values[codes].astype(np.int64) for name, values in places.items()}
