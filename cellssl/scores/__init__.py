"""Arrays of features, labels and groups in, numbers out: no AnnData, no network, no files."""

from cellssl.scores.classification import (
    balanced_accuracy,
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
from cellssl.scores.resampling import Resamples, draw_resamples, interval

__all__ = [
    "Resamples",
    "ami",
    "balanced_accuracy",
    "cluster_kmeans",
    "draw_resamples",
    "interval",
    "knn_accuracy",
    "knn_predict",
    "linear_accuracy",
    "linear_predict",
    "principal_components",
    "silhouette",
    "standardise",
]
