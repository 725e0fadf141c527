"""Which classes are found and which are taken for which, as tidy tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.evaluation.repetitions import MEAN, Repetitions
from cellssl.scores import (
    Resamples,
    balanced_accuracy_of,
    class_accuracies_of,
    confusion,
    joint_intervals,
    pairs_of,
)

# Of more classes than this pairs that never occur have no row: 1,500 compounds would have two million a classifier.
MOST_CLASSES = 200


@dataclass(frozen=True)
class Confusions:
    """Predictions of one classifier, counted.

    Attributes
    ----------
    classes : (K,) str
    table : (K, K) int64
        Cells by true (rows) and predicted class. A row is empty where a class is learnt but none
        of the scored cells is of it.
    draws : (B, M) float64
        Accuracy in each resample of the M classes that have scored cells.
    units : (M,) int64
        Treatments, wells or cells that each of these classes' draws are made of.
    """

    classes: NDArray[np.str_]
    table: NDArray[np.int64]
    draws: NDArray[np.float64]
    units: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        truth: NDArray[np.str_],
        predictions: NDArray[np.str_],
        classes: NDArray[np.str_],
        resamples: Resamples,
    ) -> "Confusions":
        """Count which class was taken for which, with the draws of each class's accuracy."""
        draws, units = resamples.class_accuracies(truth, predictions), resamples.class_units(truth)
        return cls(classes, confusion(truth, predictions, classes), draws, units)

    def balanced_accuracy(self) -> tuple[float, NDArray[np.float64]]:
        """Give the mean accuracy of the classes, and its draws."""
        return balanced_accuracy_of(self.table), self.draws.mean(axis=1)

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which classes (K,) have scored cells."""
        return self.table.sum(axis=1) > 0

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Accuracy of the M classes that have scored cells."""
        return class_accuracies_of(self.table)[0][self.scored]


def class_rows(found: Sequence[Confusions], seeds: Sequence[str]) -> pd.DataFrame:
    """Accuracy of each class that has scored cells: class, accuracy, low, high, n, seed.

    Parameters
    ----------
    found : sequence of Confusions
        Of the same cells, one for each training seed.
    seeds : sequence of str
        Their names; with several, rows "mean" come first. One alone is the "mean".
    """
    trainings = {MEAN: repetitions(found, seeds)}
    if len(found) > 1:
        trainings |= {
            seed: repetitions([one], [seed]) for one, seed in zip(found, seeds, strict=True)
        }
    frames = []
    for seed, own in trainings.items():
        mean = own.mean()
        low, high = mean.interval((0, 1))
        table = {**_scored_classes(found[0]), "accuracy": mean.value, "low": low, "high": high}
        frames.append(pd.DataFrame({**table, "seed": seed}))
    return pd.concat(frames, ignore_index=True)


def _scored_classes(found: Confusions) -> dict[str, NDArray]:
    """Name the classes that have scored cells, and count these."""
    counts = found.table.sum(axis=1)
    return {"class": found.classes[found.scored], "n": counts[found.scored]}


def repetitions(found: Sequence[Confusions], seeds: Sequence[str]) -> Repetitions:
    """Put the accuracies of all classes in several trainings together."""
    draws = np.mean([one.draws for one in found], axis=0)
    return Repetitions(np.array([one.accuracies for one in found]), draws, seeds)


def difference_columns(
    scored: Confusions, one: Repetitions, other: Repetitions
) -> dict[str, NDArray]:
    """Difference of two embeddings in each class: class, difference, low, high, apart, n.

    The intervals hold for all classes at once (see `joint_intervals`), cut off where no difference of
    two accuracies lies.

    Parameters
    ----------
    scored : Confusions
        Of any training: its classes and units.
    one, other : Repetitions
        Accuracies of the classes in each training of either, of the same cells.
    """
    difference = one.minus(other)
    low, high = joint_intervals(
        difference.value, difference.draws, scored.units, further=difference.seeds
    )
    return {
        **_scored_classes(scored),
        "difference": difference.value,
        "low": np.maximum(low, -1),
        "high": np.minimum(high, 1),
        "apart": (low > 0) | (high < 0),
    }


def confusion_rows(found: Sequence[Confusions], seeds: Sequence[str]) -> pd.DataFrame:
    """Count every pair of classes: true, predicted, count, seed.

    Of more than 200 classes only those pairs that occur, and each class with itself.

    Counts are not averaged: each training has its own; a single one is called "mean", as it is
    among the scores.
    """
    names = list(seeds) if len(found) > 1 else [MEAN]
    frames = []
    for one, seed in zip(found, names, strict=True):
        pairs = pd.DataFrame({**pairs_of(one.table, one.classes), "seed": seed})
        if len(one.classes) > MOST_CLASSES:
            pairs = pairs[(pairs["count"] > 0) | (pairs["true"] == pairs["predicted"])]
        frames.append(pairs)
    return pd.concat(frames, ignore_index=True)
