"""All metrics of one embedding on one task."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.clustering import FEWEST
from cellssl.phenotypes.confounders import CONFOUNDERS, Confounder
from cellssl.phenotypes.confusions import Confusions
from cellssl.phenotypes.graph import add_graph, leiden
from cellssl.phenotypes.mechanisms import MATCHES
from cellssl.phenotypes.tasks import Task
from cellssl.scores import (
    Resamples,
    accuracy_of,
    ami,
    balanced_accuracy,
    balanced_accuracy_of,
    cluster_kmeans,
    confusion,
    knn_predict,
    linear_predict,
    principal_components,
    silhouette,
)
from cellssl.words import counted, listed

__all__ = [
    "CLASSIFIERS",
    "METRICS",
    "Score",
    "class_confusions",
    "possible_differences",
    "possible_values",
    "split_of",
    "task_metrics",
    "task_scores",
]


class Score(NamedTuple):
    """One number: its draws, the cells it is of, why it is missing or what to beware of.

    NSC and NSCB are of treatments: `n` counts these, and `classes` their mechanisms. The clusters are
    those of the first start.
    """

    metric: str
    value: float
    draws: NDArray[np.float64] | None
    n: int
    note: str = ""
    confusions: Confusions | None = None
    classes: int | None = None
    clusters: NDArray[np.int64] | None = None


CLASSIFIERS: dict[str, Callable[..., NDArray]] = {"knn": knn_predict, "linear": linear_predict}
TOP1, BATCHES = "_top1", "_batches"

METRICS = (
    "ami_kmeans",
    "ami_leiden",
    "clusters_leiden",
    "silhouette",
    "knn",
    "linear",
    *(f"ami_{name}" for name in CONFOUNDERS),
    *(f"linear_{name}" for name in CONFOUNDERS),
)

# The silhouette compares every two cells: beyond this many it is taken on a seeded sample.
SILHOUETTE_CELLS = 10_000
# A confounder has many classes: beyond so many cells it is predicted on a seeded sample.
CONFOUNDED_CELLS = 5_000


def split_of(metric: str, task: Task) -> str:
    """Tell what a metric keeps apart: a classifier's cells by the task's split, NSC's compounds."""
    if metric in MATCHES:
        return MATCHES[metric]
    confounder = task.confounders.get(metric.removeprefix("linear_"))
    if metric.startswith("linear_") and confounder is not None:
        return confounder.split
    if metric.endswith(BATCHES):
        return "batches"
    return task.split if metric.removesuffix(TOP1) in CLASSIFIERS else "none"


def possible_values(metric: str) -> tuple[float, float]:
    """Say between what a metric always lies: most are shares of cells or treatments.

    Examples
    --------
    >>> possible_values("knn"), possible_values("ami_kmeans")
    ((0.0, 1.0), (-1.0, 1.0))
    """
    if metric == "clusters_leiden":
        return 1.0, np.inf
    return (-1.0 if metric.startswith(("ami_", "silhouette")) else 0.0), 1.0


def possible_differences(metric: str) -> tuple[float, float]:
    """Say between what the difference of two embeddings always lies.

    Examples
    --------
    >>> possible_differences("knn")
    (-1.0, 1.0)
    """
    low, high = possible_values(metric)
    return low - high, high - low


def task_metrics(task: Task) -> tuple[str, ...]:
    """Name the metrics of a task.

    On a test set also plain accuracy, which its field reports; where several plates make a batch
    also the classifiers across batches; of treatments with a mechanism also NSC and NSCB.
    """
    plain = () if task.test is None else tuple(name + TOP1 for name in CLASSIFIERS)
    across = () if task.batches is None else tuple(name + BATCHES for name in CLASSIFIERS)
    return METRICS + plain + across + (() if task.treatments is None else tuple(MATCHES))


def task_scores(
    Z: NDArray[np.float32], task: Task, seeds: Sequence[int], *, aggregate: str = "median"
) -> Iterator[Score]:
    """Yield all scores of one embedding's normalised features (n, D) on one task.

    Of a test set everything is computed on the test cells alone, but for what the classifiers learn
    from.
    """
    truth = task.truth
    n, classes = len(truth), len(np.unique(truth))
    if n < max(FEWEST, classes + 1):
        for metric in task_metrics(task):
            yield Score(
                metric, float("nan"), None, n, f"{n:,} cells of {classes:,} classes are too few"
            )
        return
    components = principal_components(Z[task.scored])
    clusters = [cluster_kmeans(components, classes, seed=seed) for seed in seeds]
    yield Score("ami_kmeans", *_agreement(task.resamples, truth, clusters), n, clusters=clusters[0])
    if components.shape[1] > 1:
        found = _leiden_clusters(components, seeds)
        yield Score("ami_leiden", *_agreement(task.resamples, truth, found), n)
        count = float(np.mean([len(np.unique(one)) for one in found]))
        # Nothing is clustered again in a resample: only training seeds widen its interval.
        yield Score("clusters_leiden", count, np.full(len(task.resamples.weights), count), n)
    else:
        for metric in ("ami_leiden", "clusters_leiden"):
            yield Score(metric, float("nan"), None, n, "one feature has no neighbourhoods")
    yield _silhouette(components, task)
    for name, predict in CLASSIFIERS.items():
        yield from _accuracies(name, predict, Z, task)
        if task.batches is not None:
            yield _across_batches(
                name + BATCHES, predict, Z, task.labels, task.batches, task.resamples
            )
    for name, confounder in task.confounders.items():
        yield from _confounded(name, confounder, components, clusters, task)
    yield from _matches(Z[task.scored], task, aggregate)


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
        yield from _unknown(name, len(X), reason)
        return
    rows = np.flatnonzero(confounder.codes >= 0)
    known, resamples = confounder.take(rows), task.resamples.take(rows)
    lost = len(X) - len(rows)
    note = f"row, column and edge without {counted(lost, 'cell')} whose well is not named as A01"
    note *= lost > 0
    if resamples.leaves_none():
        yield from _unknown(name, len(rows), f"{note}: those left are too few")
    elif len(np.unique(known.codes)) < 2:
        reason = "all wells lie at the edge, or none" if name == "edge" else f"one {name} only"
        yield from _unknown(name, len(rows), reason)
    else:
        agreement = _agreement(resamples, known.codes, [found[rows] for found in clusters])
        classes = len(np.unique(known.codes))
        yield Score(f"ami_{name}", *agreement, len(rows), note, classes=classes)
        yield _told(name, known, X[rows], resamples, note)


def _unknown(name: str, n: int, reason: str) -> Iterator[Score]:
    """Say why neither score of a confounder can be had."""
    for metric in ("ami", "linear"):
        yield Score(f"{metric}_{name}", float("nan"), None, n, reason)


def _told(
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
        return Score(metric, float("nan"), None, len(rows), reason, classes=classes)
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
            yield Score(metric, float("nan"), None, 0, note, classes=0)
            continue
        classes = len(np.unique(task.treatments.mechanisms[found.scored]))
        draws = found.draws(count=len(task.resamples.weights))
        yield Score(metric, found.value, draws, found.n, note, classes=classes)


def _agreement(
    resamples: Resamples, values: NDArray, clusters: Sequence[NDArray[np.int64]]
) -> tuple[float, NDArray[np.float64]]:
    """AMI of values and clusters: the mean over the starts, and its draws."""
    mean = float(np.mean([ami(values, found) for found in clusters]))
    return mean, np.mean([resamples.ami(values, found) for found in clusters], axis=0)


def _leiden_clusters(
    components: NDArray[np.float32], seeds: Sequence[int]
) -> list[NDArray[np.int64]]:
    """Leiden clusters of one graph from several starts."""
    cells = ad.AnnData(obsm={"X_pca": components}, shape=(len(components), 0))
    add_graph(cells)
    return [leiden(cells, seed=seed) for seed in seeds]


def _silhouette(components: NDArray[np.float32], task: Task) -> Score:
    """Silhouette of the labels, on a seeded sample when there are very many cells."""
    rows, note = _sample(len(components), SILHOUETTE_CELLS)
    labels = task.truth[rows]
    if len(np.unique(labels)) < 2:
        return Score("silhouette", float("nan"), None, len(rows), "one class only in the sample")
    values = silhouette(components[rows], labels)
    draws = task.resamples.take(rows).mean(values)
    return Score("silhouette", float(values.mean()), draws, len(rows), note)


def _accuracies(
    name: str, predict: Callable[..., NDArray], Z: NDArray[np.float32], task: Task
) -> Iterator[Score]:
    """Balanced accuracy across groups or on the test set, there plain accuracy too."""
    truth, reason = task.truth, _unlearnable(task)
    n = len(truth)
    if reason:
        for metric in (name, name + TOP1):
            if metric in task_metrics(task):
                yield Score(metric, float("nan"), None, n, reason)
        return
    apart = {"groups": task.groups} if task.test is None else {"test": task.test}
    predictions = predict(Z, task.labels, **apart)
    found = class_confusions(truth, predictions, np.unique(task.labels), task.resamples)
    note = "; ".join(filter(None, [_lonely(task), _undivided(task)]))
    yield Score(name, balanced_accuracy_of(found.table), found.draws.mean(axis=1), n, note, found)
    if task.test is not None:
        right = task.resamples.mean(truth == predictions)
        yield Score(name + TOP1, accuracy_of(found.table), right, n, note)


def _across_batches(
    metric: str,
    predict: Callable[..., NDArray],
    Z: NDArray[np.float32],
    labels: NDArray[np.str_],
    batches: NDArray[np.int64],
    resamples: Resamples,
) -> Score:
    """Balanced accuracy where all that is learnt from lies in other batches, of the classes that lie in several."""
    rows = np.flatnonzero(batches >= 0)
    truth, classes = labels[rows], np.unique(labels[rows])
    if len(classes) < 2:
        reason = "fewer than two classes lie in several batches"
        return Score(metric, float("nan"), None, len(rows), reason, classes=len(classes))
    left = np.setdiff1d(labels, truth).tolist()
    note = f"left out, in one batch only: {', '.join(left)}" if left else ""
    predictions = predict(Z[rows], truth, groups=batches[rows])
    found = class_confusions(truth, predictions, classes, resamples.take(rows))
    value, draws = balanced_accuracy_of(found.table), found.draws.mean(axis=1)
    return Score(metric, value, draws, len(rows), note, found, len(classes))


def class_confusions(
    truth: NDArray[np.str_], predictions: NDArray[np.str_], classes: NDArray, resamples: Resamples
) -> Confusions:
    """Count which class was taken for which, with the draws of each class's accuracy."""
    by_class, units = resamples.class_accuracies(truth, predictions), resamples.class_units(truth)
    return Confusions(classes, confusion(truth, predictions, classes), by_class, units)


def _unlearnable(task: Task) -> str:
    """Say why there is nothing to learn from; empty when there is."""
    if task.test is not None:
        return "no cell of these classes is in the training set" if task.test.all() else ""
    if task.groups is None:
        return "the cells name no two plates, no two wells, no training and test parts"
    if len(np.unique(task.groups)) < 2:
        return f"needs two {task.split} at least, all cells are in one"
    counts = _groups_of_classes(task)
    found = counts.index[counts > 1].tolist()
    if len(found) > 1:
        return ""
    only = f"only {found[0]} lies" if found else "no class lies"
    return f"{only} in two {task.split}: {'no other' if found else 'none'} can be found"


def _lonely(task: Task) -> str:
    """Say which classes nothing can teach: they lie in one group, or in the test set alone."""
    if task.test is not None:
        alone = np.setdiff1d(task.truth, task.labels[~task.test]).tolist()
        return _lost(alone, len(np.unique(task.truth)), "not in the training set")
    groups = _groups_of_classes(task)
    return _lost(groups.index[groups == 1].tolist(), len(groups), "in one group only")


def _undivided(task: Task) -> str:
    """Say when no group holds two classes: noise is then taken for what the other groups hold more of.

    Of wells that is so by design, and there are many of each class.
    """
    if task.test is not None or task.split == "wells":
        return ""
    held = pd.DataFrame({"label": task.labels, "group": task.groups})
    if held.groupby("group")["label"].nunique().max() > 1:
        return ""
    return (
        f"apart by {task.split}, every group holds one class alone: what tells groups passes for the label, "
        "and noise scores below chance"
    )


def _lost(alone: Sequence[str], classes: int, why: str) -> str:
    """Say which of how many classes count as nothing; the empty text where none does."""
    if not alone:
        return ""
    return f"{len(alone)} of {classes} classes count 0, cannot be found, {why}: {listed(alone)}"


def _groups_of_classes(task: Task) -> "pd.Series[int]":
    """Count the groups that each class lies in."""
    return pd.Series(task.groups).groupby(task.labels).nunique()
