"""All scores of one embedding on one task."""

from collections.abc import Iterator, Sequence

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from cellssl.phenotypes.clustering.clustering import FEWEST
from cellssl.phenotypes.clustering.graph import add_graph, leiden
from cellssl.phenotypes.evaluation.accuracies import accuracies
from cellssl.phenotypes.evaluation.confounders import CONFOUNDERS, Confounder
from cellssl.phenotypes.evaluation.mechanisms import MATCHES
from cellssl.phenotypes.evaluation.metrics import Score, task_metrics
from cellssl.phenotypes.evaluation.tasks import Task
from cellssl.scores import (
    STARTS,
    Resamples,
    ami,
    balanced_accuracy,
    cluster_kmeans,
    kmeans_starts,
    linear_predict,
    principal_components,
    silhouette,
)
from cellssl.words import counted

# The silhouette compares every two cells: beyond this many it is taken on a seeded sample.
SILHOUETTE_CELLS = 10_000
# A confounder has many classes: beyond so many cells it is predicted on a seeded sample.
CONFOUNDED_CELLS = 5_000


def task_scores(
    Z: NDArray[np.float32], task: Task, seeds: Sequence[int], *, aggregate: str
) -> Iterator[Score]:
    """Yield all scores of one embedding's normalised features (n, D) on one task.

    Of a test set everything is computed on the test cells alone, but for what the classifiers learn
    from.
    """
    truth = task.truth
    n, classes = len(truth), len(np.unique(truth))
    if n < max(FEWEST, classes + 1):
        for metric in task_metrics(task):
            yield Score.missing(metric, n, f"{n:,} cells of {classes:,} classes are too few")
        return
    components = principal_components(Z[task.scored])
    clusters = [cluster_kmeans(components, classes, seed=seed) for seed in seeds]
    agreement = _agreement(task.resamples, truth, clusters)
    yield Score("ami_kmeans", *agreement, n, _few_starts(n, classes), clusters=clusters[0])
    yield from _leiden_scores(components, task, seeds)
    yield _silhouette(components, task)
    yield from accuracies(Z, task)
    for name, confounder in task.confounders.items():
        yield from _confounded(name, confounder, components, clusters, task)
    yield from _matches(Z[task.scored], task, aggregate)


def _few_starts(cells: int, classes: int) -> str:
    """Say where k-means had fewer starts than usual."""
    starts = kmeans_starts(cells, classes)
    if starts == STARTS:
        return ""
    return f"k-means of {classes:,} clusters from {counted(starts, 'start')} a seed, in place of {STARTS}"


def _agreement(
    resamples: Resamples, values: NDArray, clusters: Sequence[NDArray[np.int64]]
) -> tuple[float, NDArray[np.float64]]:
    """AMI of values and clusters: the mean over the starts, and its draws."""
    mean = float(np.mean([ami(values, found) for found in clusters]))
    return mean, np.mean([resamples.ami(values, found) for found in clusters], axis=0)


def _leiden_scores(
    components: NDArray[np.float32], task: Task, seeds: Sequence[int]
) -> Iterator[Score]:
    """AMI and number of the Leiden clusters of one graph, from several starts."""
    n = len(components)
    if components.shape[1] < 2:
        for metric in ("ami_leiden", "clusters_leiden"):
            yield Score.missing(metric, n, "one feature has no neighbourhoods")
        return
    cells = ad.AnnData(obsm={"X_pca": components}, shape=(n, 0))
    add_graph(cells)
    clusters = [leiden(cells, seed=seed) for seed in seeds]
    yield Score("ami_leiden", *_agreement(task.resamples, task.truth, clusters), n)
    count = float(np.mean([len(np.unique(one)) for one in clusters]))
    # Nothing is clustered again in a resample: only training seeds widen its interval.
    yield Score("clusters_leiden", count, np.full(len(task.resamples.weights), count), n)


def _silhouette(components: NDArray[np.float32], task: Task) -> Score:
    """Silhouette of the labels, on a seeded sample when there are very many cells."""
    rows, note = _sample(len(components), SILHOUETTE_CELLS)
    labels = task.truth[rows]
    if len(np.unique(labels)) < 2:
        return Score.missing("silhouette", len(rows), "one class only in the sample")
    values = silhouette(components[rows], labels)
    draws = task.resamples.take(rows).mean(values)
    return Score("silhouette", float(values.mean()), draws, len(rows), note)


def _confounded(
    name: str,
    confounder: Confounder | None,
    X: NDArray[np.float32],
    clusters: Sequence[NDArray[np.int64]],
    task: Task,
) -> Iterator[Score]:
    """How far the clusters follow a confounder, and how well their components (n, d) tell it.

    Cells that do not say what theirs is are left out, and counted in the note.
    """
    if confounder is None:
        reason = f"of the {name} nothing is known, no column {CONFOUNDERS[name]}"
        if name not in ("plate", "batch"):
            reason += " that names wells as A01"
        yield from _unknown_scores(name, len(X), reason)
        return
    rows = np.flatnonzero(confounder.codes >= 0)
    known, resamples = confounder.take(rows), task.resamples.take(rows)
    lost = len(X) - len(rows)
    without = f"row, column and edge without {counted(lost, 'cell')} whose well is not named as A01"
    note = without if lost else ""
    if resamples.leaves_none():
        yield from _unknown_scores(name, len(rows), f"{note}: those left are too few")
    elif len(np.unique(known.codes)) < 2:
        reason = "all wells lie at the edge, or none" if name == "edge" else f"one {name} only"
        yield from _unknown_scores(name, len(rows), reason)
    else:
        agreement = _agreement(resamples, known.codes, [found[rows] for found in clusters])
        classes = len(np.unique(known.codes))
        yield Score(f"ami_{name}", *agreement, len(rows), note, classes=classes)
        yield _linear_score(name, known, X[rows], resamples, note)


def _unknown_scores(name: str, n: int, reason: str) -> Iterator[Score]:
    """Say why neither score of a confounder can be had."""
    for metric in ("ami", "linear"):
        yield Score.missing(f"{metric}_{name}", n, reason)


def _linear_score(
    name: str, confounder: Confounder, X: NDArray[np.float32], resamples: Resamples, note: str
) -> Score:
    """Balanced accuracy of a linear model that tells a confounder from cells of other groups.

    It sees the principal components that clusters are made of: with all features, some dozens of
    plates take longer than everything else.
    """
    metric = f"linear_{name}"
    rows, sampled = _sample(len(X), CONFOUNDED_CELLS)
    drawn = confounder.take(rows)
    classes = len(np.unique(drawn.codes))
    if drawn.groups is None or len(np.unique(drawn.groups)) < 2 or classes < 2:
        reason = "the cells name no two wells to keep apart"
        return Score.missing(metric, len(rows), reason, classes=classes)
    predictions = linear_predict(X[rows], drawn.codes, groups=drawn.groups)
    draws = resamples.take(rows).balanced_accuracy(drawn.codes, predictions)
    value = balanced_accuracy(drawn.codes, predictions)
    notes = "; ".join(filter(None, [note, sampled]))
    return Score(metric, value, draws, len(rows), notes, classes=classes)


def _sample(count: int, most: int) -> tuple[NDArray[np.int64], str]:
    """Draw most of so many cells where there are more, and say so."""
    if count <= most:
        return np.arange(count), ""
    rows = np.random.default_rng(0).choice(count, most, replace=False)
    return np.sort(rows), f"on a random sample of {most} cells"


def _matches(X: NDArray[np.float32], task: Task, statistic: str) -> Iterator[Score]:
    """NSC and NSCB of the scored cells (n, D), where there are treatments with a mechanism."""
    if task.treatments is None:
        return
    for metric in MATCHES:
        found, note = task.treatments.match(metric, X, statistic=statistic)
        if found is None:
            yield Score.missing(metric, 0, note, classes=0)
            continue
        classes = len(np.unique(task.treatments.mechanisms[found.scored]))
        draws = found.draws(count=len(task.resamples.weights))
        yield Score(metric, found.value, draws, found.n, note, classes=classes)
