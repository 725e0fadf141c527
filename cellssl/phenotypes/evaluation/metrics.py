"""The metrics of a task: their names, between what they lie, what each keeps apart, and a score of one."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellssl.phenotypes.evaluation.confounders import CONFOUNDERS
from cellssl.phenotypes.evaluation.confusions import Confusions
from cellssl.phenotypes.evaluation.mechanisms import MATCHES
from cellssl.phenotypes.evaluation.tasks import Task
from cellssl.scores import knn_predict, linear_predict


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

    @classmethod
    def missing(cls, metric: str, n: int, why: str, *, classes: int | None = None) -> "Score":
        """Give a score that cannot be had, and why."""
        return cls(metric, float("nan"), None, n, why, classes=classes)


CLASSIFIERS: dict[str, Callable[..., NDArray]] = {"knn": knn_predict, "linear": linear_predict}
TOP1, BATCHES = "_top1", "_batches"
# The scores that stand together; of the last, it is there where several plates make a batch.
ANSWERS = ("ami_kmeans", "knn", "linear")
TOGETHER = (*ANSWERS, "knn_batches")
# What tables of scores begin with.
LEADING = (*TOGETHER, "linear_batches")

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
# What tables and figures call them.
TITLES = {
    "ami_kmeans": "AMI, k-means",
    "ami_leiden": "AMI, Leiden",
    "clusters_leiden": "clusters, Leiden",
    "silhouette": "silhouette",
    "knn": "kNN",
    "linear": "linear",
    "knn_batches": "kNN, other batches",
    "linear_batches": "linear, other batches",
    "ami_predictions": "AMI of predictions",
    "predictions": "accuracy of predictions",
    "knn_top1": "kNN, top-1",
    "linear_top1": "linear, top-1",
    "nsc": "NSC",
    "nscb": "NSCB",
    **{f"ami_{name}": f"AMI with the {name}" for name in CONFOUNDERS},
    **{f"linear_{name}": f"{name}, linear" for name in CONFOUNDERS},
}


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


def task_metrics(task: Task) -> tuple[str, ...]:
    """Name the metrics of a task.

    On a test set also plain accuracy, which its field reports; where several plates make a batch
    also the classifiers across batches; of treatments with a mechanism also NSC and NSCB.
    """
    plain = () if task.test is None else tuple(name + TOP1 for name in CLASSIFIERS)
    across = () if task.batches is None else tuple(name + BATCHES for name in CLASSIFIERS)
    return METRICS + plain + across + (() if task.treatments is None else tuple(MATCHES))
