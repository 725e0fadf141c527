"""Figures, and one self-contained page that answers which treatments look alike."""

from cellssl.report.classes import confusion
from cellssl.report.document import write_report
from cellssl.report.doses import dose_curve
from cellssl.report.explorer import Explorer, explore
from cellssl.report.figures import (
    GalleryRow,
    Overlay,
    PreviewGroup,
    activity_figure,
    audit_figure,
    channel_colours,
    class_change_figure,
    class_difference_figure,
    composite,
    confusion_figure,
    correlation_map,
    crop_gallery,
    dose_figure,
    field_montage,
    illumination_figure,
    invariance_figure,
    outline_figure,
    plate_map,
    preview_figure,
    replicate_figure,
    save_figure,
    score_figure,
    similarity_heatmap,
    stability_figure,
    sweep_figure,
    training_curve,
    umap_figure,
)
from cellssl.report.galleries import gallery
from cellssl.report.preview import preview
from cellssl.report.sections import class_statements
from cellssl.report.wells import plate_heat_map

__all__ = [
    "Explorer",
    "GalleryRow",
    "Overlay",
    "PreviewGroup",
    "activity_figure",
    "audit_figure",
    "channel_colours",
    "class_change_figure",
    "class_difference_figure",
    "class_statements",
    "composite",
    "confusion",
    "confusion_figure",
    "correlation_map",
    "crop_gallery",
    "dose_curve",
    "dose_figure",
    "explore",
    "field_montage",
    "gallery",
    "illumination_figure",
    "invariance_figure",
    "outline_figure",
    "plate_heat_map",
    "plate_map",
    "preview",
    "preview_figure",
    "replicate_figure",
    "save_figure",
    "score_figure",
    "similarity_heatmap",
    "stability_figure",
    "sweep_figure",
    "training_curve",
    "umap_figure",
    "write_report",
]
