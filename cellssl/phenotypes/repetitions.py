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
        count = len(self.draws)
        if len(self.seeds) > 1 and set(self.seeds) == set(other.seeds):
            theirs = other.scores[[list(other.seeds).index(seed) for seed in self.seeds]]
            seeds = _seed_draws(self.scores - theirs, count)
        else:
            seeds = _seed_draws(self.scores, count) - _seed_draws(other.scores, count, stream=1)
        difference = self.scores.mean(axis=0) - other.scores.mean(axis=0)
        return difference, self.draws - other.draws + seeds


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
