"""Arrays of features, labels and groups in, numbers out: no AnnData, no network, no files."""

from cellssl.scores.aggregation import STATISTICS, aggregate, choose_statistic
from cellssl.scores.classification import knn_predict, linear_predict
from cellssl.scores.clusters import (
    STARTS,
    ami,
    cluster_kmeans,
    kmeans_starts,
    number_by_size,
    silhouette,
)
from cellssl.scores.components import principal_components, standardised_components
from cellssl.scores.confusion import (
    accuracy_of,
    balanced_accuracy,
    balanced_accuracy_of,
    class_accuracies_of,
    confusion,
    pairs_of,
)
from cellssl.scores.explanation import equal_classes, explained_variance, property_ami
from cellssl.scores.mechanisms import (
    Matches,
    batch_membership,
    nsc,
    nscb,
)
from cellssl.scores.precision import (
    Precisions,
    activity_precision,
    consistency_precision,
)
from cellssl.scores.replicates import Replicates, replicate_correlation
from cellssl.scores.resampling import (
    Resamples,
    draw_resamples,
    false_discovery_rate,
    interval,
    joint_intervals,
)
from cellssl.scores.scaling import standardise, unit_rows

__all__ = [
    "STARTS",
    "STATISTICS",
    "Matches",
    "Precisions",
    "Replicates",
    "Resamples",
    "accuracy_of",
    "activity_precision",
    "aggregate",
    "ami",
    "balanced_accuracy",
    "balanced_accuracy_of",
    "batch_membership",
    "choose_statistic",
    "class_accuracies_of",
    "cluster_kmeans",
    "confusion",
    "consistency_precision",
    "draw_resamples",
    "equal_classes",
    "explained_variance",
    "false_discovery_rate",
    "interval",
    "joint_intervals",
    "kmeans_starts",
    "knn_predict",
    "linear_predict",
    "nsc",
    "nscb",
    "number_by_size",
    "pairs_of",
    "principal_components",
    "property_ami",
    "replicate_correlation",
    "silhouette",
    "standardise",
    "standardised_components",
    "unit_rows",
]
