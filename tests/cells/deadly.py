"""Work that kills its process; a module of its own, since spawned workers import it by name."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.cells import Labels, ThresholdSegmenter


def work(task: tuple[int, str]) -> int:
    number, behaviour = task
    if behaviour == "always":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "error":
        raise ValueError("wrong")
    if behaviour and not Path(behaviour).exists():
        Path(behaviour).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


@dataclass(frozen=True)
class KilledOnce:
    """Kills its process on the first field that it is given, and works from then on."""

    flag: str
    name: str = "threshold"

    def check(self, channels: Any) -> None: ...

    def settings(self) -> dict[str, Any]:
        return ThresholdSegmenter().settings()

    def segment(self, field: np.ndarray, channels: Any) -> Labels:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return ThresholdSegmenter().segment(field, channels)
