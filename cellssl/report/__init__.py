"""Figures, and one self-contained page that answers which treatments look alike."""

from cellssl.report.confusion import confusion
from cellssl.report.document import write_report
from cellssl.report.doses import dose_curve
from cellssl.report.explorer.explorer import Explorer, explore
from cellssl.report.figures.audit import audit_figure, invariance_figure
from cellssl.report.figures.class_differences import class_difference_figure
from cellssl.report.figures.composite import channel_colours, composite
from cellssl.report.figures.confusion import confusion_figure
from cellssl.report.figures.dose import dose_figure
from cellssl.report.figures.gallery import (
    GalleryRow,
    Overlay,
    crop_gallery,
    field_montage,
    outline_figure,
)
from cellssl.report.figures.illumination import illumination_figure
from cellssl.report.figures.plate import plate_map
from cellssl.report.figures.preview import PreviewGroup, preview_figure
from cellssl.report.figures.replicates import replicate_figure, stability_figure
from cellssl.report.figures.scores import score_figure
from cellssl.report.figures.similarity import activity_figure, similarity_heatmap
from cellssl.report.figures.study import (
    class_change_figure,
    class_sweep_figure,
    correlation_map,
    explanation_figure,
    sweep_figure,
)
from cellssl.report.figures.style import save_figure
from cellssl.report.figures.training import training_curve
from cellssl.report.figures.umap import umap_figure
from cellssl.report.galleries import gallery
from cellssl.report.preview import preview
from cellssl.report.sections.classes import class_statements
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
    "class_sweep_figure",
    "composite",
    "confusion",
    "confusion_figure",
    "correlation_map",
    "crop_gallery",
    "dose_curve",
    "dose_figure",
    "explanation_figure",
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
