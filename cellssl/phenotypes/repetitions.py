"""A score in several trainings: their mean, and how far it would move with others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Repetitions"]

Draws = NDArray[np.float64]


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

    scores: Draws
    draws: Draws
    seeds: Sequence[str]

    def mean(self) -> tuple[Draws, Draws]:
        """Mean over training seeds (…), and its draws (B, …) over seeds and resamples."""
        return self.scores.mean(axis=0), self.draws + _seed_draws(self.scores, len(self.draws))

    def minus(self, other: "Repetitions") -> tuple[Draws, Draws]:
        """Difference of two means (…) and its draws (B, …), of the same resamples.

        Seed by seed when both have the same seeds, else independently.
        """
        parts = enumerate(self._apart(other))
        seeds = [_seed_draws(own, len(self.draws), stream=number) for number, own in parts]
        difference = self.scores.mean(axis=0) - other.scores.mean(axis=0)
        return difference, self.draws - other.draws + sum(seeds)

    def seed_variances(self, other: "Repetitions") -> list[tuple[Draws, int]]:
        """Variances (…) that training seeds add to the difference of two means, and their freedom.

        Seed by seed as in `minus`; of a single training nothing is known, and nothing added.
        """
        return [
            (own.var(axis=0, ddof=1) / len(own), len(own) - 1)
            for own in self._apart(other)
            if len(own) > 1
        ]

    def _apart(self, other: "Repetitions") -> list[Draws]:
        """Give what varies over seeds: differences where both have the same, else either's scores."""
        if len(self.seeds) > 1 and set(self.seeds) == set(other.seeds):
            theirs = other.scores[[list(other.seeds).index(seed) for seed in self.seeds]]
            return [self.scores - theirs]
        return [self.scores, -other.scores]


def _seed_draws(scores: Draws, count: int, *, stream: int = 0) -> Draws:
    """Draw training seeds with replacement: deviations of their mean, (count, …) of (S, …).

    Few seeds drawn with replacement vary too little, by (S − 1) / S in variance: that is put right.
    """
    seeds = len(scores)
    if seeds < 2:
        return np.zeros((count, *scores.shape[1:]))
    picks = np.random.default_rng([stream, seeds]).integers(seeds, size=(count, seeds))
    deviations = scores[picks].mean(axis=1) - scores.mean(axis=0)
    return deviations * np.sqrt(seeds / (seeds - 1))
