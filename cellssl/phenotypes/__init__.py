"""What an embedding says about phenotypes: clusters, scores, similarity of treatments."""

from cellssl.phenotypes.clustering.clustering import cluster
from cellssl.phenotypes.clustering.stability import choose_resolution, scan_resolutions
from cellssl.phenotypes.columns import text_values
from cellssl.phenotypes.embeddings.combining import combine
from cellssl.phenotypes.embeddings.exporting import export_embedding
from cellssl.phenotypes.embeddings.reading import read_embedding
from cellssl.phenotypes.evaluation.differences import (
    differences_between,
    differences_by_class,
    score_difference,
)
from cellssl.phenotypes.evaluation.evaluation import evaluate
from cellssl.phenotypes.evaluation.measurement import Measurement
from cellssl.phenotypes.evaluation.measurements import Measurements
from cellssl.phenotypes.evaluation.metrics import METRICS
from cellssl.phenotypes.evaluation.score_tables import read_scores, seed_means
from cellssl.phenotypes.evaluation.scoring import measure_embeddings
from cellssl.phenotypes.evaluation.splits import in_test_set
from cellssl.phenotypes.labels import choose_label, columns_there, require_label, usual_label
from cellssl.phenotypes.normalisation.factors import fit_factors
from cellssl.phenotypes.normalisation.normalisation import (
    NORMALISATIONS,
    normalise_embedding,
    normalise_features,
)
from cellssl.phenotypes.normalisation.whitening import Whitening, coral, fit_sphering, fit_whitening
from cellssl.phenotypes.treatments.aggregation import LEVELS, aggregate_profiles
from cellssl.phenotypes.treatments.dose import (
    choose_dose,
    correlate_doses,
    dose_positions,
    dose_title,
)
from cellssl.phenotypes.treatments.profiles import WellProfiles, well_profiles
from cellssl.phenotypes.treatments.similarity import Similarity, similarity

__all__ = [
    "LEVELS",
    "METRICS",
    "NORMALISATIONS",
    "Measurement",
    "Measurements",
    "Similarity",
    "WellProfiles",
    "Whitening",
    "aggregate_profiles",
    "choose_dose",
    "choose_label",
    "choose_resolution",
    "cluster",
    "columns_there",
    "combine",
    "coral",
    "correlate_doses",
    "differences_between",
    "differences_by_class",
    "dose_positions",
    "dose_title",
    "evaluate",
    "export_embedding",
    "fit_factors",
    "fit_sphering",
    "fit_whitening",
    "in_test_set",
    "measure_embeddings",
    "normalise_embedding",
    "normalise_features",
    "read_embedding",
    "read_scores",
    "require_label",
    "scan_resolutions",
    "score_difference",
    "seed_means",
    "similarity",
    "text_values",
    "usual_label",
    "well_profiles",
]
