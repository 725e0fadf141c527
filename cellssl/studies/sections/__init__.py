"""The parts of a study's page."""

from cellssl.studies.sections.clusters import clusters_section
from cellssl.studies.sections.runs import runs_section
from cellssl.studies.sections.sweeps import sweeps_section
from cellssl.studies.sections.used_plates import used_plates_section

__all__ = ["clusters_section", "runs_section", "sweeps_section", "used_plates_section"]
