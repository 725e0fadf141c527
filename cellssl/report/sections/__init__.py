"""The parts of the report: each turns one room's results into words, tables and pictures."""

from cellssl.report.sections.answer import answer_section
from cellssl.report.sections.classes import class_statements, classes_section
from cellssl.report.sections.clusters import gallery_section
from cellssl.report.sections.dropped import dropped_section
from cellssl.report.sections.images import images_section
from cellssl.report.sections.making import provenance_section, training_section
from cellssl.report.sections.maps import map_section
from cellssl.report.sections.scores import scores_section

__all__ = [
    "answer_section",
    "class_statements",
    "classes_section",
    "dropped_section",
    "gallery_section",
    "images_section",
    "map_section",
    "provenance_section",
    "scores_section",
    "training_section",
]
