"""Nuisances: their columns, and the classes that one tells apart as well, two that share no plate, say."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellssl.arguments import some_names
from cellssl.columns import PLATE
from cellssl.phenotypes import choose_label
from cellssl.studies.audit.separation import Groups

__all__ = ["alone", "nuisance_columns", "told_by"]

_USUAL = (PLATE, "Metadata_Batch")


def nuisance_columns(
    obs: pd.DataFrame, names: str | Sequence[str] | None, *, but: str | None
) -> dict[str, str]:
    """Map the short names of nuisances to columns: those asked for, or plate and batch."""
    if names is None:
        columns = [c for c in _USUAL if c in obs and len(set(obs[c].astype(str))) > 1]
    else:
        columns = [str(choose_label(obs, name)) for name in some_names(names)]
    return {c.removeprefix("Metadata_"): c for c in columns if c != but}


def told_by(classes: Groups, values: ArrayLike) -> NDArray[np.bool_]:
    """Say which two of K classes share no value of a nuisance, where one of each is known: (K, K).

    What they differ by may then be the nuisance, and nothing in these cells can tell.

    Parameters
    ----------
    classes
        The classes of N cells.
    values : (N,) str
        The nuisance, such as each cell's plate; empty where it is not known.

    Examples
    --------
    >>> told_by(Groups.of(["a", "a", "b", "b"]), ["P1", "P1", "P2", "P2"]).tolist()
    [[False, True], [True, False]]
    """
    lies = _lies(classes, values)
    known = lies.any(axis=1)
    told: NDArray[np.bool_] = np.outer(known, known) & ~(lies @ lies.T)
    return told


def alone(classes: Groups, values: ArrayLike) -> int:
    """Count the classes that lie on one value of a nuisance alone."""
    return int((_lies(classes, values).sum(axis=1) == 1).sum())


def _lies(classes: Groups, values: ArrayLike) -> NDArray[np.bool_]:
    """Say which class has cells of which value: (K, V)."""
    known = Groups.of(values, fewest=1)
    lies = np.zeros((len(classes.names), len(known.names)), dtype=bool)
    rows = (classes.codes >= 0) & (known.codes >= 0)
    lies[classes.codes[rows], known.codes[rows]] = True
    return lies
