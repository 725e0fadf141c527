"""All metrics of one embedding on one task."""

from collections.abc import Callable, Iterator, Sequence

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes.clustering import FEWEST, add_graph, leiden
from cellssl.phenotypes.tasks import Task
from cellssl.scores import (
    ami,
    balanced_accuracy,
    cluster_kmeans,
    knn_predict,
    linear_predict,
    principal_components,
    silhouette,
)

__all__ = ["METRICS", "Score", "task_scores"]

# Metric, value, draws, number of cells, and a note: why there is no value, or what to beware of.
Score = tuple[str, float, NDArray[np.float64] | None, int, str]

METRICS = (
    "ami_kmeans",
    "ami_leiden",
    "silhouette",
    "knn",
    "linear",
    "ami_plate",
    "ami_batch",
)

# The silhouette compares every two cells: beyond this many it is taken on a seeded sample.
SILHOUETTE_CELLS = 10_000


def task_scores(Z: NDArray[np.float32], task: Task, seeds: Sequence[int]) -> Iterator[Score]:
    """Yield all scores of one embedding's normalised features (n, D) on one task."""
    n, classes = len(task.rows), len(np.unique(task.labels))
    if n < max(FEWEST, classes + 1):
        for metric in METRICS:
            yield metric, float("nan"), None, n, f"{n} cells are too few"
        return
    components = principal_components(Z)
    clusters = [cluster_kmeans(components, classes, seed=seed) for seed in seeds]
    yield ("ami_kmeans", *_agreement(task, task.labels, clusters), n, "")
    yield ("ami_leiden", *_agreement(task, task.labels, _leiden_clusters(components, seeds)), n, "")
    yield _silhouette(components, task)
    yield _accuracy("knn", knn_predict, Z, task)
    yield _accuracy("linear", linear_predict, Z, task)
    for name, values in task.confounders.items():
        if values is None:
            yield f"ami_{name}", float("nan"), None, n, f"no column Metadata_{name.capitalize()}"
        elif len(np.unique(values)) < 2:
            yield f"ami_{name}", float("nan"), None, n, f"one {name} only"
        else:
            yield (f"ami_{name}", *_agreement(task, values, clusters), n, "")


def _agreement(
    task: Task, values: NDArray, clusters: Sequence[NDArray[np.int64]]
) -> tuple[float, NDArray[np.float64]]:
    """AMI of values and clusters: the mean over the starts, and its draws."""
    mean = float(np.mean([ami(values, found) for found in clusters]))
    return mean, np.mean([task.resamples.ami(values, found) for found in clusters], axis=0)


def _leiden_clusters(
    components: NDArray[np.float32], seeds: Sequence[int]
) -> list[NDArray[np.int64]]:
    """Leiden clusters of one graph from several starts."""
    cells = ad.AnnData(obsm={"X_pca": components}, shape=(len(components), 0))
    add_graph(cells)
    return [leiden(cells, seed=seed) for seed in seeds]


def _silhouette(components: NDArray[np.float32], task: Task) -> Score:
    """Silhouette of the labels, on a seeded sample when there are very many cells."""
    n = len(components)
    rows, note = np.arange(n), ""
    if n > SILHOUETTE_CELLS:
        rows = np.sort(np.random.default_rng(0).choice(n, SILHOUETTE_CELLS, replace=False))
        note = f"on a random sample of {SILHOUETTE_CELLS} cells"
    labels = task.labels[rows]
    if len(np.unique(labels)) < 2:
        return "silhouette", float("nan"), None, len(rows), "one class only in the sample"
    values = silhouette(components[rows], labels)
    return (
        "silhouette",
        float(values.mean()),
        task.resamples.take(rows).mean(values),
        len(rows),
        note,
    )


def _accuracy(
    metric: str, predict: Callable[..., NDArray], Z: NDArray[np.float32], task: Task
) -> Score:
    """Balanced accuracy across groups, or why there is none."""
    n = len(Z)
    if task.groups is None:
        return metric, float("nan"), None, n, "the cells name neither plate nor well"
    if len(np.unique(task.groups)) < 2:
        return (
            metric,
            float("nan"),
            None,
            n,
            f"needs two {task.split} at least, all cells are in one",
        )
    predictions = predict(Z, task.labels, groups=task.groups)
    draws = task.resamples.balanced_accuracy(task.labels, predictions)
    note = _lonely(task)
    return metric, balanced_accuracy(task.labels, predictions), draws, n, note


def _lonely(task: Task) -> str:
    """Name the classes that lie in one group: nothing outside it can teach them."""
    groups = pd.Series(task.groups).groupby(task.labels).nunique()
    alone = groups.index[groups == 1].tolist()
    return f"cannot be found, in one group only: {', '.join(alone)}" if alone else ""
