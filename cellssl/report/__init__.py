"""Figures, and one self-contained page that answers which treatments look alike."""

from cellssl.report.document import write_report
from cellssl.report.explorer import Explorer, explore
from cellssl.report.figures import (
    GalleryRow,
    Overlay,
    PreviewGroup,
    activity_figure,
    channel_colours,
    composite,
    confusion_figure,
    crop_gallery,
    dose_figure,
    field_montage,
    illumination_figure,
    outline_figure,
    plate_map,
    preview_figure,
    save_figure,
    score_figure,
    similarity_heatmap,
    training_curve,
    umap_figure,
)
from cellssl.report.preview import preview

__all__ = [
    "Explorer",
    "GalleryRow",
    "Overlay",
    "PreviewGroup",
    "activity_figure",
    "channel_colours",
    "composite",
    "confusion_figure",
    "crop_gallery",
    "dose_figure",
    "explore",
    "field_montage",
    "illumination_figure",
    "outline_figure",
    "plate_map",
    "preview",
    "preview_figure",
    "save_figure",
    "score_figure",
    "similarity_heatmap",
    "training_curve",
    "umap_figure",
    "write_report",
]
