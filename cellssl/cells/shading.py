"""The illumination of each plate, estimated from a sample of its fields and kept beside the crops."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellssl.cells.job import Task, measure_blocks
from cellssl.cells.pool import Spread
from cellssl.cells.tasks import Tasks
from cellssl.files import atomic
from cellssl.plates.illumination import FEWEST, GRID, Method, estimate
from cellssl.progress import track

_SAMPLED = 128  # fields of a plate, evenly over it
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shading:
    """How each plate is lit.

    Attributes
    ----------
    channels : tuple of str
        C names.
    maps : mapping
        Plate → (C, GRID, GRID) float32, mean 1; a plate with too few fields is not there.
    """

    channels: tuple[str, ...]
    maps: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, path: str | Path) -> "Shading":
        """Read ``illumination.npz`` of a folder of crops."""
        with np.load(path, allow_pickle=False) as file:
            plates = [str(plate) for plate in file["plates"]]
            channels = tuple(str(channel) for channel in file["channels"])
            return cls(channels, dict(zip(plates, file["maps"], strict=True)))

    def write(self, path: Path, *, made_of: str) -> None:
        """Write it, whole or not at all, with the fingerprint of what it was estimated from."""
        maps = np.stack(list(self.maps.values())) if self.maps else np.empty((0, 0, GRID, GRID))
        with atomic(path) as part, part.open("wb") as file:
            np.savez(
                file,
                plates=np.array(list(self.maps), dtype=np.str_),
                channels=np.array(self.channels, dtype=np.str_),
                maps=maps.astype(np.float32),
                made_of=np.array(made_of),
            )


def measure_shading(
    tasks: Tasks, method: Method, path: Path, *, spread: Spread, shown: bool
) -> Shading:
    """Estimate the illumination of each plate, or take what `path` holds of the same fields.

    Parameters
    ----------
    tasks : Tasks
        All fields; those of small plates, which have none, among them.
    method : str
        See `cellssl.plates.illumination.estimate`; of "none" nothing is kept at `path`.
    path : path
        ``illumination.npz``.
    spread : callable
        Does the work on some fields, in whatever order.
    shown : bool
        Whether to show a progress bar.
    """
    channels = tasks.job.channels
    if method == "none":
        path.unlink(missing_ok=True)
        return Shading(channels, {})
    plates = tasks.by_plate(range(len(tasks)))
    sampled = {
        plate: [tasks[number] for number in _sample(numbers)]
        for plate, numbers in plates.items()
        if len(numbers) >= FEWEST
    }
    made_of = _fingerprint(sampled, method)
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            if str(file["made_of"]) == made_of:
                return Shading.read(path)
    asked = [task for fields in sampled.values() for task in fields]
    measured = track(spread(measure_blocks, asked), "illumination", total=len(asked), shown=shown)
    blocks = {task.part: means for task, means in measured if isinstance(means, np.ndarray)}
    maps = {}
    for plate, fields in sampled.items():
        # In the order of the plate, however they were done and whatever their parts are called.
        read = [blocks[task.part] for task in fields if task.part in blocks]
        if len(read) >= FEWEST:
            names = [f"plate {plate}, {channel}," for channel in channels]
            maps[plate] = estimate(np.stack(read), method, names=names)
    left = [plate for plate in plates if plate not in maps]
    if left:
        _LOG.info(
            "illumination is not corrected on plate %s: fewer than %d readable fields",
            ", ".join(left[:5]) + (f" and {len(left) - 5} more plates" if len(left) > 5 else ""),
            FEWEST,
        )
    shading = Shading(channels, maps)
    shading.write(path, made_of=made_of)
    return shading


def _sample(numbers: Sequence[int]) -> list[int]:
    """Choose `_SAMPLED` of a plate's fields, evenly, in the order of the plate."""
    places = np.linspace(0, len(numbers) - 1, min(len(numbers), _SAMPLED)).round().astype(int)
    return [numbers[place] for place in places]


def _fingerprint(sampled: Mapping[str, Sequence[Task]], method: str) -> str:
    text = json.dumps([method, {p: [task.part.name for task in f] for p, f in sampled.items()}])
    return hashlib.sha256(text.encode()).hexdigest()
