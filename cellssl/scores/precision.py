"""Mean average precision: do like profiles come before others, and could that be chance."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError
from cellssl.progress import track
from cellssl.scores.resampling import false_discovery_rate
from cellssl.scores.scaling import unit_rows

_LOG = logging.getLogger(__name__)

# Of more wells than this on a treatment's plates some plates are drawn: time grows with the cube of the wells.
MOST_WELLS = 1500


@dataclass(frozen=True)
class Precisions:
    """Mean average precision of T treatments (or labels).

    Attributes
    ----------
    value : (T,) float64
        1: all like profiles come first. NaN where there is nothing to rank.
    expected : (T,) float64
        Its mean over the permutations: what chance gives.
    p_value : (T,) float64
        Share of permutations of the labels that rank as well, ties counted.
    q_value : (T,) float64
        The same, corrected for the number of treatments (Benjamini and Hochberg 1995).
    """

    value: NDArray[np.float64]
    expected: NDArray[np.float64]
    p_value: NDArray[np.float64]

    @property
    def q_value(self) -> NDArray[np.float64]:
        """False discovery rate at which each would be called."""
        return false_discovery_rate(self.p_value)


def _precisions(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average precision of each ranked list (B, n), the most similar first."""
    hits = np.cumsum(relevant, axis=1)
    total = hits[:, -1] if relevant.shape[1] else np.zeros(len(relevant))
    summed = (relevant * hits / np.arange(1, relevant.shape[1] + 1)).sum(axis=1)
    possible = (total > 0) & (total < relevant.shape[1])
    return np.where(possible, summed / np.where(total > 0, total, 1), np.nan)


def activity_precision(
    X: ArrayLike,
    treatments: ArrayLike,
    controls: ArrayLike,
    plates: ArrayLike | None = None,
    *,
    permutations: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Precisions:
    """Ask whether a treatment's wells find each other before the negative controls of their plates.

    Where a treatment lies on several plates, only wells of other plates are ranked, replicates and
    controls alike: else a plate's own look would pass for activity. Similarity is the cosine about
    the mean of the treatment's and the control wells of each plate. Centred on the controls alone,
    two inactive wells of one plate would be alike since both lack the same few controls' noise.

    A treatment that lies on very many plates, as a positive control may, is asked about on some of them, drawn at
    random: as many as have 1,500 of its wells and the controls', two at least. That is said.

    Parameters
    ----------
    X : (W, D)
        Profiles of wells, normalised.
    treatments : (W,) int
        Treatment 0 … T − 1 of each well; −1 for wells that belong to none, such as controls.
    controls : (W,) bool
        Negative-control wells.
    plates : (W,), optional
        Plate of each well; all on one when left out.
    permutations : int
        Permutations of treated and control wells within each plate.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Precisions
        NaN for treatments of one well, or without control wells to be told from.

    Raises
    ------
    EmbeddingError
        When treatments, controls or plates are not as many as profiles.

    Notes
    -----
    Kalinin et al., Nature Communications 2025. Their package copairs draws its null from ranks that
    are independent for every well, and counts only what is strictly better: of inactive treatments
    of two wells with four controls, 11 % then have p < 0.01. Here wells change places, ties count.
    """
    X, treatments = np.asarray(X, dtype=np.float64), np.asarray(treatments)
    controls = np.asarray(controls, dtype=bool)
    names = np.zeros(len(X)) if plates is None else np.asarray(plates)
    _, codes = np.unique(names, return_inverse=True)
    if not len(X) == len(treatments) == len(controls) == len(codes):
        raise EmbeddingError(
            f"wanted a treatment, control and plate for each of {len(X)} profiles, got "
            f"{len(treatments)}, {len(controls)} and {len(codes)}."
        )
    count = int(treatments.max(initial=-1)) + 1
    results = np.full((3, count), np.nan)
    drawn = 0
    for t in track(range(count), "ranking wells", shown=progress):
        own = np.flatnonzero((treatments == t) & ~controls)
        if len(own) < 2:
            continue
        near = np.flatnonzero(controls & np.isin(codes, codes[own]))
        generator = np.random.default_rng([seed, t])
        if len(near) + len(own) > MOST_WELLS:
            chosen = _draw_plates(codes[own], codes[near], generator)
            drawn += len(chosen) < len(np.unique(codes[own]))
            near, own = near[np.isin(codes[near], chosen)], own[np.isin(codes[own], chosen)]
        rows = np.concatenate([near, own])  # controls first: of equals they rank first
        treated = np.arange(len(rows)) >= len(near)
        labels = _permuted(treated, codes[rows], permutations, generator)
        unit = _unit_about_plates(X[rows], codes[rows])
        results[:, t] = _tested(_mean_precisions(unit, labels, codes[rows]))
    if drawn:
        _LOG.warning(
            "%s on plates with more than %s wells to rank: mAP is of some of these plates, drawn at random.",
            "1 treatment lies" if drawn == 1 else f"{drawn:,} treatments lie",
            f"{MOST_WELLS:,}",
        )
    return Precisions(*results)


def _draw_plates(
    own: NDArray[np.int64], near: NDArray[np.int64], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw as many plates of a treatment as `MOST_WELLS` of its wells and the controls fill, two at least."""
    plates = generator.permutation(np.unique(own))
    wells = np.bincount(np.concatenate([own, near]))
    fitting = np.searchsorted(np.cumsum(wells[plates]), MOST_WELLS, side="right")
    return plates[: max(2, fitting)]


def _unit_about_plates(X: NDArray[np.float64], plates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Centre the rows of each plate on their mean, then give each length 1."""
    _, codes = np.unique(plates, return_inverse=True)
    total = np.zeros((codes.max() + 1, X.shape[1]))
    np.add.at(total, codes, X)
    return unit_rows(X - (total / np.bincount(codes)[:, None])[codes])


def _permuted(
    treated: NDArray[np.bool_],
    plates: NDArray[np.int64],
    count: int,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """Which wells are called treated (1 + count, n): truly, and with wells of a plate exchanged."""
    labels = np.repeat(treated[None], 1 + count, axis=0)
    for plate in np.unique(plates):
        here = np.flatnonzero(plates == plate)
        labels[1:, here] = generator.permuted(labels[1:, here], axis=1)
    return labels


def _mean_precisions(
    unit: NDArray[np.float64], labels: NDArray[np.bool_], plates: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean average precision (B,) of the wells called treated, equally many in each row of labels (B, n)."""
    single = unit.astype(np.float32)  # is sorted three times as fast
    cosine = single @ single.T
    called = np.nonzero(labels)[1].reshape(len(labels), -1)  # (B, m)
    across = len(np.unique(plates[labels[0]])) > 1
    total, counted = np.zeros(len(labels)), np.zeros(len(labels))
    for i in range(len(unit)):
        others = plates != plates[i] if across else np.arange(len(unit)) != i
        asked = np.flatnonzero(labels[:, i])
        found = _precisions_among(cosine[i], others, called[asked])
        known = ~np.isnan(found)
        total[asked[known]] += found[known]
        counted[asked[known]] += 1
    return _averages(total, counted)


def _precisions_among(
    similarity: NDArray[np.floating], others: NDArray[np.bool_], alike: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Average precision of one query for several choices (B, m) of the profiles that are like it.

    Of n profiles only `others` are ranked, once for all choices: then what stands before each of a choice's few is
    looked up. Among equals they come last.
    """
    ranked = np.sort(similarity[others])
    asked = others[alike]
    values = -np.sort(np.where(asked, -similarity[alike], np.inf), axis=1)  # the most alike first
    total = asked.sum(axis=1)
    place = np.arange(1, alike.shape[1] + 1)
    last = np.where(values[:, :-1] == values[:, 1:], alike.shape[1], place[:-1])
    last = np.column_stack([last, np.full(len(alike), alike.shape[1])])
    # Of the choice: how many are as alike or more.
    equals = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    unlike = len(ranked) - np.searchsorted(ranked, values) - equals
    precise = np.where(place <= total[:, None], place / np.maximum(place + unlike, 1), 0)
    possible = (total > 0) & (total < len(ranked))
    return np.where(possible, precise.sum(axis=1) / np.maximum(total, 1), np.nan)


def _averages(total: NDArray[np.float64], counted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide sums by what was counted; NaN where nothing was."""
    return np.divide(total, counted, out=np.full(total.shape, np.nan), where=counted > 0)


def _tested(found: NDArray[np.float64]) -> tuple[float, float, float]:
    """Value, its mean by chance and p-value, of the true labels (first) and the permuted ones."""
    value, null = found[0], found[1:][~np.isnan(found[1:])]
    if np.isnan(value) or not len(null):
        return float("nan"), float("nan"), float("nan")
    # Equal ranks summed in another order differ in the last digit.
    as_good = (null >= value - 1e-9).sum()
    return float(value), float(null.mean()), float((1 + as_good) / (1 + len(null)))


def consistency_precision(
    X: ArrayLike,
    labels: ArrayLike,
    compounds: ArrayLike,
    *,
    permutations: int = 1000,
    seed: int = 0,
    progress: bool = False,
) -> Precisions:
    """Ask whether treatments of one label find that label's other compounds first.

    Parameters
    ----------
    X : (T, D)
        Profiles of treatments; similarity is the cosine.
    labels : (T,) int
        Label 0 … L − 1 of each; −1 where it has none: neither asked nor ranked.
    compounds : (T,)
        Treatments of one compound are neither like nor unlike each other. Labels are permuted
        between compounds, doses kept together.
    permutations : int
    progress : bool
        Show a progress bar.

    Returns
    -------
    Precisions
        Of L labels: the mean over their treatments. NaN for a label of one compound.
    """
    X, labels = np.asarray(X, dtype=np.float64), np.asarray(labels)
    count = int(labels.max(initial=-1)) + 1
    kept = labels >= 0
    unit, codes = unit_rows(X[kept]), labels[kept]
    _, compound = np.unique(np.asarray(compounds)[kept], return_inverse=True)
    # A compound with two labels (they change with the dose) is two blocks.
    blocks, block = np.unique(np.stack([compound, codes]), axis=1, return_inverse=True)
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.repeat(blocks[1][None], permutations, axis=0), axis=1)
    called = np.concatenate([blocks[1][None], shuffled])[:, block]
    cosine = unit @ unit.T
    total, counted = np.zeros((len(called), count)), np.zeros((len(called), count))
    rows = np.arange(len(called))
    for i in track(range(len(unit)), "ranking treatments", shown=progress):
        others = np.flatnonzero(compound != compound[i])
        order = others[np.argsort(-cosine[i, others], kind="stable")]
        found = _precisions(called[:, order] == called[:, [i]])
        known = ~np.isnan(found)
        total[rows[known], called[known, i]] += found[known]
        counted[rows[known], called[known, i]] += 1
    means = _averages(total, counted)
    results = np.array([_tested(means[:, label]) for label in range(count)]).reshape(count, 3)
    return Precisions(*results.T)
