"""Does the most similar treatment of another compound share the mechanism: NSC and NSCB."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError
from cellssl.scores.resampling import draw_resamples
from cellssl.scores.scaling import unit_rows


@dataclass(frozen=True)
class Matches:
    """Each treatment's nearest admissible neighbour, and whether it has the same mechanism.

    Attributes
    ----------
    scored : (n,) int64
        The treatments that were scored, rows of the profiles.
    neighbours : (n,) int64
        The nearest admissible treatment of each.
    right : (n,) bool
        Same mechanism.
    dropped : tuple of str
        Mechanisms left out, both as questions and as answers: they are in one batch only.
    alone : (m,) int64
        Treatments of other mechanisms that no admissible neighbour is left for.
    """

    scored: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    right: NDArray[np.bool_]
    dropped: tuple[str, ...]
    alone: NDArray[np.int64]

    @property
    def k(self) -> int:
        """Treatments whose neighbour is right."""
        return int(self.right.sum())

    @property
    def n(self) -> int:
        """Treatments scored."""
        return len(self.right)

    @property
    def value(self) -> float:
        """Share of right ones, k / n; NaN when nothing could be scored."""
        return self.k / self.n if self.n else float("nan")

    def draws(self, *, count: int = 400, seed: int = 0) -> NDArray[np.float64]:
        """Share of right neighbours in resamples of the treatments: (count,).

        The same for all profiles of the same treatments, so that they can be compared in pairs.
        """
        return draw_resamples(np.zeros(self.n), count=count, seed=seed).mean(self.right)


def batch_membership(treatments: ArrayLike, batches: ArrayLike) -> NDArray[np.bool_]:
    """Tell which treatments lie in which batches, from one of each per well.

    Parameters
    ----------
    treatments : (W,) int
        Treatment 0 … T − 1 of each well; wells with −1 are left out.
    batches : (W,)
        Batch of each well.

    Returns
    -------
    (T, B) bool
        A treatment that spans several batches belongs to each of them.

    Examples
    --------
    >>> batch_membership([0, 0, 1], ["Week1", "Week2", "Week2"])
    array([[ True,  True],
           [False,  True]])
    """
    treatments = np.asarray(treatments)
    names, codes = np.unique(np.asarray(batches), return_inverse=True)
    table = np.zeros((treatments.max(initial=-1) + 1, len(names)), dtype=bool)
    kept = treatments >= 0
    table[treatments[kept], codes[kept]] = True
    return table


def nsc(profiles: ArrayLike, mechanisms: ArrayLike, compounds: ArrayLike) -> Matches:
    """Match treatments with the nearest one of another compound (not same compound, NSC).

    Parameters
    ----------
    profiles : (T, D)
        One row per treatment (compound at a concentration), negative controls left out; similarity
        is the cosine.
    mechanisms, compounds : (T,)
        Mechanism of action and compound of each.

    Returns
    -------
    Matches

    Raises
    ------
    EmbeddingError
        When the arrays do not fit each other, or a profile is not finite.

    Notes
    -----
    Ljosa et al., J. Biomol. Screen. 2013. Of equally near neighbours the first counts; a profile
    of length 0 has the cosine 0 with everything.
    """
    X, mechanisms, compounds = _checked(profiles, mechanisms, compounds)
    return _match(X, mechanisms, compounds[:, None] != compounds, np.ones(len(X), dtype=bool))


def nscb(
    profiles: ArrayLike, mechanisms: ArrayLike, compounds: ArrayLike, batches: ArrayLike
) -> Matches:
    """Match treatments with the nearest one of another compound and batch (NSCB).

    Parameters
    ----------
    profiles, mechanisms, compounds
        As for `nsc`.
    batches : (T, B) bool
        Which batches each treatment lies in, see `batch_membership`. A neighbour shares none of
        them: names of batches joined to one would never be equal, and let the same batch in.

    Returns
    -------
    Matches
        Without the mechanisms that lie in one batch only.

    Raises
    ------
    EmbeddingError
        As for `nsc`; or when a treatment lies in no batch.

    Notes
    -----
    Ando, McLean and Berndl, bioRxiv 2017.
    """
    X, mechanisms, compounds = _checked(profiles, mechanisms, compounds)
    member = np.asarray(batches)
    if member.dtype != bool or member.ndim != 2 or len(member) != len(X):
        raise EmbeddingError(
            f"batches say true or false for each of {len(X)} treatments and every batch, "
            f"got {member.dtype} {member.shape}."
        )
    if not member.any(axis=1).all():
        raise EmbeddingError(f"treatment {int(member.any(axis=1).argmin())} lies in no batch.")
    _, codes = np.unique(mechanisms, return_inverse=True)
    spread = np.array(
        [member[codes == c].any(axis=0).sum() for c in range(codes.max(initial=0) + 1)]
    )
    counts = member.astype(np.float32)
    apart = (compounds[:, None] != compounds) & (counts @ counts.T == 0)
    return _match(X, mechanisms, apart, spread[codes] > 1)


def _checked(
    profiles: ArrayLike, mechanisms: ArrayLike, compounds: ArrayLike
) -> tuple[NDArray[np.float64], NDArray, NDArray]:
    """Give the arrays of T treatments, which must fit and be finite."""
    X = np.asarray(profiles, dtype=np.float64)
    mechanisms, compounds = np.asarray(mechanisms), np.asarray(compounds)
    if X.ndim != 2 or mechanisms.shape != (len(X),) or compounds.shape != (len(X),):
        raise EmbeddingError(
            f"wanted profiles (T, D) with T mechanisms and compounds, got {X.shape}, "
            f"{mechanisms.shape} and {compounds.shape}."
        )
    bad = ~np.isfinite(X).all(axis=1)
    if bad.any():
        raise EmbeddingError(f"{bad.sum()} of {len(X)} profiles hold NaN or infinite numbers.")
    return X, mechanisms, compounds


def _match(
    X: NDArray[np.float64],
    mechanisms: NDArray,
    apart: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> Matches:
    """Find the nearest of the kept treatments among those apart (T, T) from each kept one."""
    unit = unit_rows(X)
    admissible = apart & kept
    possible = admissible.any(axis=1)
    scored = np.flatnonzero(kept & possible)
    cosine = np.where(admissible[scored], unit[scored] @ unit.T, -np.inf)
    neighbours = cosine.argmax(axis=1) if len(scored) else np.zeros(0, dtype=np.int64)
    return Matches(
        scored=scored,
        neighbours=neighbours,
        right=mechanisms[scored] == mechanisms[neighbours],
        dropped=tuple(np.unique(mechanisms[~kept]).astype(str).tolist()),
        alone=np.flatnonzero(kept & ~possible),
    )
