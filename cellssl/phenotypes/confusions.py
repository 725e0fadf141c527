"""Which classes are found and which are taken for which, as tidy tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.scores import class_accuracies_of, pairs_of

__all__ = ["Confusions", "class_rows", "confusion_rows"]


@dataclass(frozen=True)
class Confusions:
    """Predictions of one classifier, counted.

    Attributes
    ----------
    classes : (K,) str
    table : (K, K) int64
        Cells by true (rows) and predicted class. A row is empty where a class is learnt but none
        of the scored cells is of it.
    """

    classes: NDArray[np.str_]
    table: NDArray[np.int64]


def class_rows(
    head: Mapping[str, str], found: Sequence[Confusions], seeds: Sequence[str]
) -> pd.DataFrame:
    """Accuracy of each class: `head`, class, accuracy, n, seed.

    Parameters
    ----------
    head : mapping
        Columns that are the same in all rows.
    found : sequence of Confusions
        Of the same cells, one for each training seed.
    seeds : sequence of str
        Their names; with several, rows "mean" come first. One alone is the "mean".
    """
    parts = [class_accuracies_of(one.table) for one in found]
    values = np.array([accuracies for accuracies, _ in parts])
    tables = {"mean": values.mean(axis=0)}
    if len(found) > 1:
        tables |= dict(zip(seeds, values, strict=True))
    frames = [
        pd.DataFrame({"class": found[0].classes, "accuracy": own, "n": parts[0][1], "seed": seed})
        for seed, own in tables.items()
    ]
    rows = pd.concat(frames, ignore_index=True)
    return _headed(head, rows[rows["n"] > 0])


def confusion_rows(
    head: Mapping[str, str], found: Sequence[Confusions], seeds: Sequence[str]
) -> pd.DataFrame:
    """Count every pair of classes: `head`, true, predicted, count, seed.

    Counts are not averaged: each training has its own; a single one is called "mean", as it is
    among the scores.
    """
    names = list(seeds) if len(found) > 1 else ["mean"]
    frames = []
    for one, seed in zip(found, names, strict=True):
        frames.append(pd.DataFrame({**pairs_of(one.table, one.classes), "seed": seed}))
    return _headed(head, pd.concat(frames, ignore_index=True))


def _headed(head: Mapping[str, str], rows: pd.DataFrame) -> pd.DataFrame:
    """Put columns that are the same in all rows before the others."""
    columns = [*head, *rows.columns]
    return rows.assign(**head)[columns].reset_index(drop=True)
