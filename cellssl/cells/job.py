"""What is done to every field, and one field's share of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.labels import Segmenter
from cellssl.cells.objects import cut_cells
from cellssl.cells.parts import part_name, write_part
from cellssl.plates import FieldError, read_field

__all__ = ["Job", "Task", "cut_field"]

_FORMAT = 1  # of the parts; raise it when the same settings come to mean other crops


@dataclass(frozen=True)
class Job:
    """How the fields of a plate are cropped."""

    segmenter: Segmenter
    channels: tuple[str, ...]
    size: int
    masks: bool

    def settings(self) -> dict[str, Any]:
        """Give all that the crops of a given field depend on, as JSON holds it."""
        segmenter = {"name": self.segmenter.name, "settings": self.segmenter.settings()}
        return {
            "format": _FORMAT,
            "segmenter": segmenter,
            "crop_size": self.size,
            "masks": self.masks,
            "channels": list(self.channels),
        }

    def task(self, row: Mapping[Any, Any], folder: Path) -> "Task":
        """Make the task of one field, a row of the index."""
        paths = tuple(str(row[f"Path_{channel}"]) for channel in self.channels)
        return Task(self, paths, folder / part_name(self.settings(), list(paths)))


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a field."""

    job: Job
    paths: tuple[str, ...]
    part: Path


def cut_field(task: Task) -> str:
    """Read, segment and cut one field and write its part; give what was wrong with it, or ""."""
    start = time.perf_counter()
    try:
        field = read_field(task.paths, task.job.channels)
        if field.dtype.kind not in "uif" or not np.isfinite(field).all():
            raise FieldError(f"{task.paths[0]} holds {field.dtype} that are no finite numbers")
    except FieldError as error:
        return str(error)
    labels = task.job.segmenter.segment(field, task.job.channels)
    cells = cut_cells(field, labels, size=task.job.size, masks=task.job.masks)
    write_part(task.part, replace(cells, seconds=time.perf_counter() - start))
    return ""
