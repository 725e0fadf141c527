"""Nuisances: their columns, and the classes that one tells apart as well, two that share no plate, say."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellssl.arguments import some_names
from cellssl.columns import BATCH, PLATE, bare_name
from cellssl.phenotypes import choose_label
from cellssl.studies.audit.separation import Groups

_USUAL = (PLATE, BATCH)


def nuisance_columns(
    obs: pd.DataFrame, names: str | Sequence[str] | None, *, but: str | None
) -> dict[str, str]:
    """Map the short names of nuisances to columns: those asked for, or plate and batch."""
    if names is None:
        columns = [c for c in _USUAL if c in obs and len(set(obs[c].astype(str))) > 1]
    else:
        columns = [str(choose_label(obs, name)) for name in some_names(names)]
    return {bare_name(c): c for c in columns if c != but}


def shared(classes: Groups, values: ArrayLike) -> NDArray[np.float64]:
    """Say how far two classes are spread alike over a nuisance's values, over plates say: (K, K).

    The sum over values of the smaller of the two shares of cells; 1 where of one no value is known. Where it
    is 0, what they differ by may be the nuisance, and nothing in these cells can tell.

    Parameters
    ----------
    classes
        The classes of N cells.
    values : (N,) str
        The nuisance, such as each cell's plate; empty where it is not known.

    Examples
    --------
    >>> shared(Groups.of(["a", "a", "b", "b"]), ["P1", "P2", "P2", "P2"]).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    cells = _cells(classes, values)
    known = cells.any(axis=1)
    share = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    alike = sum((np.minimum.outer(one, one) for one in share.T), np.zeros((len(cells), len(cells))))
    return np.where(np.outer(known, known), alike, 1.0)


def alone(classes: Groups, values: ArrayLike) -> int:
    """Count the classes that lie on one value of a nuisance alone."""
    return int(((_cells(classes, values) > 0).sum(axis=1) == 1).sum())


def _cells(classes: Groups, values: ArrayLike) -> NDArray[np.int64]:
    """Count each class's cells of each value: (K, V)."""
    known = Groups.of(values, fewest=1)
    cells = np.zeros((len(classes.names), len(known.names)), dtype=np.int64)
    rows = (classes.codes >= 0) & (known.codes >= 0)
    np.add.at(cells, (classes.codes[rows], known.codes[rows]), 1)
    return cells
