"""Do replicate wells look alike: their correlation against that of random wells."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError
from cellssl.progress import track
from cellssl.scores.scaling import unit_rows

# A treatment replicates where it is above this quantile of random wells.
LIMIT = 0.95

# Wells of fewer treatments than this are no random ones.
FEWEST_TREATMENTS = 3


@dataclass(frozen=True)
class Replicates:
    """The correlation of each treatment's replicate wells, and of as many random wells.

    Attributes
    ----------
    correlation : (T,) float64
        Median of the Pearson correlations of a treatment's wells, two by two; NaN for one well.
    limit : (T,) float64
        The 95th percentile of the same for as many wells of different treatments.
    p_value : (T,) float64
        Share of draws of such wells that are as much alike.
    across : (T,) bool
        Only pairs on different plates are counted, among the random wells too. Otherwise all wells
        lie on one plate, as the random ones then do: what they share may be the plate.
    """

    correlation: NDArray[np.float64]
    limit: NDArray[np.float64]
    p_value: NDArray[np.float64]
    across: NDArray[np.bool_]


def replicate_correlation(
    X: ArrayLike,
    treatments: ArrayLike,
    plates: ArrayLike | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Replicates:
    """Compare replicate wells with random wells.

    Parameters
    ----------
    X : (W, D)
        Profiles of wells, normalised.
    treatments : (W,) int
        Treatment 0 … T − 1 of each well; wells with −1 (the negative control) are left out.
    plates : (W,), optional
        Plate of each well; all on one when left out.
    draws : int
        Draws of random wells, for every number of replicates.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Replicates
        Limits and p-values are NaN where there are fewer than three treatments to draw from.

    Raises
    ------
    EmbeddingError
        When treatments or plates are not as many as profiles.

    Notes
    -----
    The share above the limit is known as percent replicating. Replicates that lie at the same place
    of every plate share what that place does to cells: nothing here tells it from the treatment.
    """
    X, treatments = np.asarray(X, dtype=np.float64), np.asarray(treatments)
    names = np.zeros(len(X)) if plates is None else np.asarray(plates)
    if X.ndim != 2 or treatments.shape != (len(X),) or names.shape != (len(X),):
        raise EmbeddingError(
            f"wanted profiles (W, D) with W treatments and plates, got {X.shape}, "
            f"{treatments.shape} and {names.shape}."
        )
    wells = _Wells(unit_rows(X - X.mean(axis=1, keepdims=True)), treatments, pd.factorize(names)[0])
    count = int(treatments.max(initial=-1)) + 1
    correlation, limit, p_value = (np.full(count, np.nan) for _ in range(3))
    found = Replicates(correlation, limit, p_value, np.zeros(count, dtype=bool))
    nulls: dict[tuple[int, int], NDArray[np.float64]] = {}
    for t in track(range(count), "comparing replicates", shown=progress):
        rows = np.flatnonzero(treatments == t)
        where = np.unique(wells.plates[rows])
        found.across[t] = len(where) > 1
        found.correlation[t] = wells.correlation(rows, across=len(where) > 1)
        if np.isnan(found.correlation[t]):
            continue
        key = (len(rows), -1 if len(where) > 1 else int(where[0]))
        if key not in nulls:
            generator = np.random.default_rng([seed, key[0], key[1] + 1])
            nulls[key] = np.fromiter(wells.null(*key, draws, generator), dtype=np.float64)
        null = nulls[key][~np.isnan(nulls[key])]
        if len(null):
            found.limit[t] = np.quantile(null, LIMIT)
            found.p_value[t] = (1 + (null >= found.correlation[t]).sum()) / (1 + len(null))
    return found


@dataclass(frozen=True)
class _Wells:
    """Profiles as unit vectors (W, D) about their mean, with treatment and plate of each."""

    unit: NDArray[np.float64]
    treatments: NDArray[np.int64]
    plates: NDArray[np.int64]

    def correlation(self, rows: NDArray[np.int64], *, across: bool) -> float:
        """Median correlation of some wells, two by two; across plates only pairs that differ."""
        one, other = np.triu_indices(len(rows), 1)
        kept = self.plates[rows[one]] != self.plates[rows[other]] if across else slice(None)
        pairs = (self.unit[rows] @ self.unit[rows].T)[one, other][kept]
        return float(np.median(pairs)) if len(pairs) else float("nan")

    def null(
        self, size: int, plate: int, draws: int, generator: np.random.Generator
    ) -> Iterator[float]:
        """Correlations of so many wells of different treatments; of one plate, or of all (−1)."""
        rows = np.flatnonzero((self.treatments >= 0) & ((self.plates == plate) | (plate < 0)))
        members = [rows[self.treatments[rows] == t] for t in np.unique(self.treatments[rows])]
        if len(members) < FEWEST_TREATMENTS:
            return
        for _ in range(draws):
            chosen = generator.permutation(len(members))[:size]
            drawn = np.array([generator.choice(members[t]) for t in chosen])
            yield self.correlation(drawn, across=plate < 0)
