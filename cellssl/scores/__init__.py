"""Arrays of features, labels and groups in, numbers out: no AnnData, no network, no files."""

from cellssl.scores.classification import (
    knn_accuracy,
    knn_predict,
    linear_accuracy,
    linear_predict,
)
from cellssl.scores.clusters import (
    ami,
    cluster_kmeans,
    principal_components,
    silhouette,
    standardise,
)
from cellssl.scores.confusion import (
    accuracy,
    accuracy_of,
    balanced_accuracy,
    balanced_accuracy_of,
    class_accuracies,
    class_accuracies_of,
    confusion,
    pairs_of,
)
from cellssl.scores.mechanisms import (
    STATISTICS,
    Matches,
    aggregate,
    batch_membership,
    nsc,
    nscb,
)
from cellssl.scores.resampling import Resamples, draw_resamples, interval

__all__ = [
    "STATISTICS",
    "Matches",
    "Resamples",
    "accuracy",
    "accuracy_of",
    "aggregate",
    "ami",
    "balanced_accuracy",
    "balanced_accuracy_of",
    "batch_membership",
    "class_accuracies",
    "class_accuracies_of",
    "cluster_kmeans",
    "confusion",
    "draw_resamples",
    "interval",
    "knn_accuracy",
    "knn_predict",
    "linear_accuracy",
    "linear_predict",
    "nsc",
    "nscb",
    "pairs_of",
    "principal_components",
    "silhouette",
    "standardise",
]
