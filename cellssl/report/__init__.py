"""Figures, and one self-contained page that answers which treatments look alike."""

from cellssl.report.document import write_report
from cellssl.report.figures import (
    GalleryRow,
    Overlay,
    activity_figure,
    channel_colours,
    composite,
    crop_gallery,
    dose_figure,
    field_montage,
    outline_figure,
    plate_map,
    save_figure,
    score_figure,
    similarity_heatmap,
    training_curve,
    umap_figure,
)

__all__ = [
    "GalleryRow",
    "Overlay",
    "activity_figure",
    "channel_colours",
    "composite",
    "crop_gallery",
    "dose_figure",
    "field_montage",
    "outline_figure",
    "plate_map",
    "save_figure",
    "score_figure",
    "similarity_heatmap",
    "training_curve",
    "umap_figure",
    "write_report",
]
