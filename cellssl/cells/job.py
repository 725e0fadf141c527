"""What workers do to every field, and what they need to know of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells.binning import bin_pixels
from cellssl.cells.objects import cut_cells
from cellssl.cells.parts import part_name, write_part
from cellssl.cells.quality.transmission import looks_transmitted
from cellssl.cells.segmentation.labels import (
    Labels,
    Segmenter,
    find_nucleus_channel,
    segmenter_for,
)
from cellssl.cells.segmentation.threshold import ThresholdSegmenter
from cellssl.errors import PlateError
from cellssl.plates import FieldError, files_of, read_planes
from cellssl.plates.illumination import block_means, correct, expand

_FORMAT = 6  # of the parts; raise it when the same settings come to mean other crops
_TRIES = 3  # a network drive may fail for a moment
_PAUSE = 0.5  # seconds before the second try, twice as many before the third

# glibc gives memory back to the system in pieces up to the largest that was ever freed, and fetching
# it anew for each field is a tenth of the field's time. Its own limit is 32 MiB: free just less once.
np.empty(2**25 - 2**14, np.uint8)


@dataclass(frozen=True)
class Job:
    """How the fields of a plate are cropped."""

    segmenter: Segmenter
    channels: tuple[str, ...]
    size: int
    masks: bool
    binning: int = 1

    @property
    def nucleus(self) -> int | None:
        """Number of the channel whose bright places are nuclei; None where a model or labels say what are."""
        if not isinstance(self.segmenter, ThresholdSegmenter):
            return None
        return find_nucleus_channel(self.channels, self.segmenter.nucleus_channel)

    def settings(self) -> dict[str, Any]:
        """Give all that the crops of a given field depend on, as JSON holds it."""
        segmenter = {"name": self.segmenter.name, "settings": self.segmenter.settings()}
        return {
            "format": _FORMAT,
            "segmenter": segmenter,
            "crop_size": self.size,
            "masks": self.masks,
            "binning": self.binning,
            "channels": list(self.channels),
        }

    def part_name(self, row: Mapping[str, Any]) -> str:
        """Name the part of one field, a row of the index, after what it depends on."""
        paths = self._paths(row)
        _, read = segmenter_for(self.segmenter, row, self.binning)
        files = [*(file for path in paths for file in files_of(path)), *read]
        return part_name(self.settings() | {"paths": list(paths)}, list(dict.fromkeys(files)))

    def task(self, row: Mapping[str, Any], part: Path, flat: np.ndarray | None) -> "Task":
        """Make the task of one field, a row of the index, under its plate's illumination."""
        segmenter, _ = segmenter_for(self.segmenter, row, self.binning)
        job = self if segmenter is self.segmenter else replace(self, segmenter=segmenter)
        return Task(job, self._paths(row), part, flat)

    def _paths(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[f"Path_{channel}"]) for channel in self.channels)


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """What a worker needs to know of a field."""

    job: Job
    paths: tuple[str, ...]
    part: Path
    flat: np.ndarray | None


def read_checked(task: Task) -> list[np.ndarray]:
    """Read and bin the channels of a task's field, (Y, X) each; what may pass is tried again.

    Raises
    ------
    FieldError
        When it cannot be read, or holds no finite numbers.
    """
    for again in range(1, _TRIES + 1):
        try:
            planes = read_planes(task.paths, task.job.channels)
            break
        except FieldError as error:
            if again == _TRIES or not _may_pass(error.__cause__):
                raise
            time.sleep(_PAUSE * again)
    for path, plane in zip(task.paths, planes, strict=True):
        kind = plane.dtype.kind
        if min(plane.shape) < task.job.binning:
            height, width = plane.shape
            raise FieldError(
                f"{path} is {height} × {width} pixels, too few for a binning of {task.job.binning}"
            )
        if kind not in "uif":
            what = "black and white alone" if kind == "b" else f"{plane.dtype}"
            raise FieldError(f"{path} holds {what}; wanted grey values")
        if kind == "f" and not np.isfinite(plane).all():
            raise FieldError(
                f"{path} holds {plane.dtype} that are no finite numbers: put 0 where nothing was seen"
            )
    return [bin_pixels(plane, task.job.binning) for plane in planes]


def _may_pass(cause: BaseException | None) -> bool:
    """Say whether an error is the system's (EIO, ESTALE, a timeout), and not the file's."""
    return (
        isinstance(cause, OSError)
        and cause.errno is not None
        and not isinstance(cause, FileNotFoundError | PermissionError | IsADirectoryError)
    )


def measure_blocks(task: Task) -> np.ndarray | None:
    """Read a field and average it over blocks: (C, GRID, GRID), or None where it cannot be read."""
    try:
        return block_means(np.stack(read_checked(task)))
    except PlateError:
        return None  # a field that cannot be read, which cropping will say, or a tiny one


def cut_field(task: Task) -> str:
    """Read, correct, segment and cut one field and write its part; give what was wrong, or ""."""
    start = time.perf_counter()
    try:
        planes, field, labels = segment_field(task)
    except FieldError as error:
        return str(error)
    cells = cut_cells(field, labels, size=task.job.size, masks=task.job.masks, raw=np.stack(planes))
    types = [plane.dtype.str for plane in planes]
    told = "".join(types if len(set(types)) > 1 else types[:1])
    nucleus = task.job.nucleus
    transmitted = nucleus is not None and looks_transmitted(field[nucleus], cells.found)
    seconds = time.perf_counter() - start
    write_part(task.part, replace(cells, transmitted=transmitted, types=told, seconds=seconds))
    return ""


def segment_field(task: Task) -> tuple[list[np.ndarray], np.ndarray, Labels]:
    """Read a task's field (see `read_checked`), correct it (C, Y, X), and find its objects.

    Raises
    ------
    FieldError
        When it cannot be read, or the segmenter cannot use it.
    """
    planes = read_checked(task)
    field = np.stack(planes)
    if task.flat is not None:
        field = _correct(field, task.flat)
    return planes, field, task.job.segmenter.segment(field, task.job.channels)


def _correct(raw: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Divide the illumination out; a plate's is enlarged once a process."""
    return correct(raw, _expanded(flat.tobytes(), flat.shape, raw.shape[1:]))


@lru_cache(maxsize=1)
def _expanded(flat: bytes, shape: tuple[int, ...], size: tuple[int, int]) -> np.ndarray:
    return expand(np.frombuffer(flat, np.float32).reshape(shape), size)
