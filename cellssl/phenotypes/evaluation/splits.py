"""What training and test cells are kept apart by: groups, or the usual test set."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import PLATE, WELL
from cellssl.errors import EmbeddingError
from cellssl.phenotypes.columns import column_codes, require_column, text_values, well_names

_LOG = logging.getLogger(__name__)

PART = "Metadata_Split"
# Values of the column that may be predicted, the first that is there, and the split's name.
TESTED = {"test": "test set", "val": "validation set"}


@dataclass(frozen=True)
class Split:
    """How kNN and the linear model are kept from knowing what they predict.

    Attributes
    ----------
    name : str
        `plates`, `wells`, a column, `none`, or where the cells have a usual split `test set`
        (`validation set` when there are no test cells).
    groups : (N,) int64 or None
        Group of each cell: each is predicted from the others.
    test, training : (N,) bool or None
        Of a test set, in place of groups: predicted cells, and those that are learnt from.
    """

    name: str
    groups: NDArray[np.int64] | None = None
    test: NDArray[np.bool_] | None = None
    training: NDArray[np.bool_] | None = None

    def divide(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give those of some rows that are of use, and those of these that are scored."""
        if self.test is None or self.training is None:
            return rows, rows
        return rows[self.test[rows] | self.training[rows]], rows[self.test[rows]]


def find_split(obs: pd.DataFrame, chosen: NDArray[np.int64], groups: str) -> Split:
    """Find what training and test are kept apart by.

    Parameters
    ----------
    obs : DataFrame
        The cells.
    chosen : (n,) int64
        The rows that can be scored.
    groups : str
        `auto`: the test set, where chosen cells are of the training part and others of the test
        part; else plates where there are several; else wells. Or `split`, `plate`, `well` (in
        capitals or not), or a column whose values are the groups.

    Raises
    ------
    EmbeddingError
        When what was asked for is not there.
    """
    if groups in ("auto", "split", "Split", PART, *TESTED.values()):
        found = _test_set(obs, chosen, required=groups != "auto")
        if found is not None:
            return found
    plates, wells = column_codes(obs, PLATE), well_names(obs)
    for name, place, values in (("plates", PLATE, plates), ("wells", WELL, wells)):
        if groups == PLATE == place or groups.lower() in (name, name.removesuffix("s")):
            require_column(obs, place, purpose=f"the {name}")
        elif groups != "auto" or values is None or len(np.unique(values[chosen])) < 2:
            continue
        if values is not None:
            return Split(name, pd.factorize(values)[0])
    if groups == "auto":
        if plates is None and wells is None:
            _LOG.warning(
                "the cells name no plate and no well: without them kNN and linear are not scored. Call the "
                "columns that hold them Metadata_Plate and Metadata_Well"
            )
        return Split("none")
    values = text_values(require_column(obs, groups, purpose="the groups"), groups)
    return Split(groups, pd.factorize(values)[0])


def in_test_set(obs: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell which cells belong to the usual test or validation set: (N,); none without a split."""
    if PART not in obs.columns:
        return np.zeros(len(obs), dtype=bool)
    return np.isin(_parts(obs), list(TESTED))


def _parts(obs: pd.DataFrame) -> NDArray[np.str_]:
    """Read which part each cell belongs to, in any case."""
    return np.char.lower(text_values(obs[PART], PART))


def _test_set(obs: pd.DataFrame, chosen: NDArray[np.int64], *, required: bool) -> Split | None:
    """Find the usual training and test parts; None when a part is missing and not required."""
    if required:
        require_column(obs, PART, purpose="the training and test parts")
    elif PART not in obs.columns:
        return None
    parts = _parts(obs)
    there = set(parts[chosen].tolist())
    for value, name in TESTED.items():
        if {"train", value} <= there:
            return Split(name, test=parts == value, training=parts == "train")
    if required:
        raise EmbeddingError(
            f"{PART} must say 'train' of some cells and 'test' or 'val' of others; the labelled "
            f"ones say {', '.join(map(repr, sorted(there)))}."
        )
    return None
