"""What is no biology and may still be what clusters show: plate, batch, and the place on the plate."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import BATCH, PLATE, WELL
from cellssl.phenotypes.columns import column_codes, well_names
from cellssl.wells import is_well, plate_format, well_place

# Name → the column whose absence leaves it unknown.
CONFOUNDERS = {"plate": PLATE, "batch": BATCH, "row": WELL, "column": WELL, "edge": WELL}


@dataclass(frozen=True)
class Confounder:
    """One confounder of m cells.

    Attributes
    ----------
    codes : (m,) int64
        Its value at each cell; of row, column and edge −1 where the well is not named as A01. Cells
        without plate or batch count as one of their own.
    groups : (m,) int64 or None
        What it is predicted across, so that no cell is told by its neighbours in the same well: plate
        and batch from other wells, the place on the plate from other plates where there are several.
    split : str
        What these groups are.
    """

    codes: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    split: str

    def take(self, rows: NDArray[np.int64]) -> "Confounder":
        """Restrict it to some of the cells."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, codes=self.codes[rows], groups=groups)


def find_confounders(obs: pd.DataFrame) -> dict[str, Confounder | None]:
    """Find plate, batch, row, column and edge of each cell; None where the cells do not say.

    Parameters
    ----------
    obs : DataFrame (m rows)
        `Metadata_Plate`, `Metadata_Batch`, and `Metadata_Well` as A01. The edge is the outermost row
        and column of the plate that `plate_format` takes all the wells for.
    """
    plates, wells = column_codes(obs, PLATE), well_names(obs)
    by_well = None if wells is None else pd.factorize(wells)[0].astype(np.int64)
    several = plates is not None and len(np.unique(plates)) > 1
    apart, split = (plates, "plates") if several else (by_well, "wells")
    found: dict[str, Confounder | None] = dict.fromkeys(CONFOUNDERS)
    for name, codes in (("plate", plates), ("batch", column_codes(obs, BATCH))):
        if codes is not None:
            found[name] = Confounder(codes, by_well, "none" if wells is None else "wells")
    return found | {name: Confounder(own, apart, split) for name, own in _places(obs).items()}


def _places(obs: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Read row, column and edge from the wells, −1 where there is none; nothing where no cell names one."""
    if WELL not in obs.columns:
        return {}
    wells = obs[WELL].astype(str)
    names = [name for name in wells.unique() if is_well(name)]
    if not names:
        return {}
    found = [well_place(name) for name in names]
    rows, columns = np.array(found).T + 1
    height, width = plate_format(found)
    edge = (rows == 1) | (rows == height) | (columns == 1) | (columns == width)
    of_wells = pd.DataFrame({"row": rows, "column": columns, "edge": edge}, index=names)
    places = of_wells.astype(np.int64).reindex(wells, fill_value=-1)
    return {name: places[name].to_numpy() for name in ("row", "column", "edge")}
