"""A score in several trainings: their mean, and how far it would move with others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellssl.scores import interval

MEAN = "mean"  # stands for the seed of what is summed up over trainings

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number, or one for each class, and what it would move by.

    Attributes
    ----------
    value : (…) float64
    draws : (B, …) float64
        In each resample of treatments.
    seeds : list of ((…) float64, int)
        Variances that training seeds add, each with its degrees of freedom.
    """

    value: Numbers
    draws: Numbers
    seeds: list[tuple[Numbers, int]]

    def interval(self, within: tuple[float, float] = (-np.inf, np.inf)) -> tuple[Any, Any]:
        """Give the 95 % interval, each class's apart from the others', of the values that there can be."""
        return interval(self.value, self.draws, further=self.seeds, within=within)


@dataclass(frozen=True)
class Repetitions:
    """A score, or the scores of all classes, in each training of an embedding.

    Attributes
    ----------
    scores : (S, …) float64
        In each training.
    draws : (B, …) float64
        The mean over the trainings in each resample of treatments.
    seeds : sequence of str
        The trainings' names.
    """

    scores: Numbers
    draws: Numbers
    seeds: Sequence[str]

    def mean(self) -> Estimate:
        """Mean over training seeds."""
        return Estimate(self.scores.mean(axis=0), self.draws, _variances([self.scores]))

    def minus(self, other: "Repetitions") -> Estimate:
        """Difference of two means in the same resamples.

        Seed by seed when both have the same seeds, else independently.
        """
        difference = self.scores.mean(axis=0) - other.scores.mean(axis=0)
        return Estimate(difference, self.draws - other.draws, _variances(self._apart(other)))

    def _apart(self, other: "Repetitions") -> list[Numbers]:
        """Give what varies over seeds: differences where both have the same, else either's scores."""
        if len(self.seeds) > 1 and set(self.seeds) == set(other.seeds):
            theirs = other.scores[[list(other.seeds).index(seed) for seed in self.seeds]]
            return [self.scores - theirs]
        return [self.scores, other.scores]


def _variances(scores: Sequence[Numbers]) -> list[tuple[Numbers, int]]:
    """Variances of means over seeds, each (S, …) → (…); of one training nothing is known or added."""
    return [(own.var(axis=0, ddof=1) / len(own), len(own) - 1) for own in scores if len(own) > 1]
