"""Embeddings: an encoder or a baseline put over crops, as AnnData."""

from cellssl.embedding.baselines import baseline_names, is_baseline
from cellssl.embedding.embedding import embed
from cellssl.embedding.statistics import IntensityStatistics, intensity_names

__all__ = [
    "IntensityStatistics",
    "baseline_names",
    "embed",
    "intensity_names",
    "is_baseline",
]
