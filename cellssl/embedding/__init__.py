"""Embeddings: an encoder or a baseline put over crops, as AnnData."""

from cellssl.embedding.baselines import baseline_names, is_baseline, is_pretrained
from cellssl.embedding.embedding import embed
from cellssl.embedding.orientations import OrientationMean, check_orientations
from cellssl.embedding.statistics import IntensityStatistics, intensity_names, ranked

__all__ = [
    "IntensityStatistics",
    "OrientationMean",
    "baseline_names",
    "check_orientations",
    "embed",
    "intensity_names",
    "is_baseline",
    "is_pretrained",
    "ranked",
]
