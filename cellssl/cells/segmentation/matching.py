"""How well found objects match true ones."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matches:
    """Counts of objects; those of several images are added, so that the score is pooled.

    Attributes
    ----------
    hits : int
        True objects that were found.
    extra : int
        Found objects that match no true one.
    missed : int
        True objects that no found one matches.

    Examples
    --------
    >>> pooled = Matches(8, 1, 1) + Matches(10, 1, 1)
    >>> pooled.f1
    0.9
    """

    hits: int = 0
    extra: int = 0
    missed: int = 0

    def __add__(self, other: "Matches") -> "Matches":
        return Matches(self.hits + other.hits, self.extra + other.extra, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + extra + missed); 1 where there is nothing, and nothing was found."""
        all_ = 2 * self.hits + self.extra + self.missed
        return 2 * self.hits / all_ if all_ else 1.0


def match_objects(truth: np.ndarray, found: np.ndarray, *, overlap: float = 0.5) -> Matches:
    """Match two label images: objects match whose intersection exceeds `overlap` of their union.

    Parameters
    ----------
    truth, found : ndarray
        (Y, X) integers: 0 background; numbers need not follow each other.
    overlap : float
        At least 0.5, so that no object matches two.

    Examples
    --------
    >>> truth = np.array([[1, 1, 1, 0, 2, 2]])
    >>> match_objects(truth, np.array([[5, 5, 0, 0, 0, 7]]))
    Matches(hits=1, extra=1, missed=1)
    """
    if truth.shape != found.shape or not 0.5 <= overlap < 1:
        raise ValueError(
            f"got labels of {truth.shape} and {found.shape} and an overlap of {overlap}; wanted one "
            "shape, and 0.5 or more"
        )
    objects, first = np.unique(truth, return_inverse=True)
    others, second = np.unique(found, return_inverse=True)
    pairs, areas = np.unique(first.ravel() * len(others) + second.ravel(), return_counts=True)
    one, two = np.divmod(pairs, len(others))
    union = np.bincount(first.ravel())[one] + np.bincount(second.ravel())[two] - areas
    real = (objects[one] != 0) & (others[two] != 0)
    hits = int((areas > overlap * union)[real].sum())
    found_count, true_count = (int((numbers != 0).sum()) for numbers in (others, objects))
    return Matches(hits, found_count - hits, true_count - hits)
