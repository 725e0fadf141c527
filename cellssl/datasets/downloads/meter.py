"""How far one file is: a bar for the user, and the word to stop for its thread."""

import threading
import time

from rich.progress import Progress

_MB = 1e6
_EVERY = 0.2  # seconds between two updates of a bar


class AbandonedError(Exception):
    """Another thread failed or was interrupted: this one stops where it is."""


class Meter:
    """Counts the bytes of one file's download, checking or unpacking.

    Parameters
    ----------
    progress : Progress
        The display.
    name : str
        The file's.
    stop : threading.Event
        When it is set, the next count raises `AbandonedError`.
    """

    def __init__(self, progress: Progress, name: str, stop: threading.Event) -> None:
        self._progress, self._name, self._stop = progress, name, stop
        self._task = progress.add_task(name, total=None, note="waiting")
        self._start = self._shown = time.monotonic()
        self._first = self._done = 0

    def begin(self, doing: str, *, done: int = 0, total: int | None = None) -> None:
        """Start counting anew: `done` of `total` bytes are there already."""
        self.check()
        self._start, self._first, self._done = time.monotonic(), done, done
        self._progress.update(
            self._task,
            description=f"{self._name} (MB), {doing}",
            completed=done / _MB,
            total=None if total is None else total / _MB,
            note="",
        )

    def add(self, count: int) -> None:
        """Count bytes."""
        self.check()
        self._done += count
        now = time.monotonic()
        if now - self._shown > _EVERY:
            self._shown = now
            rate = (self._done - self._first) / max(now - self._start, 1e-6) / _MB
            self._progress.update(self._task, completed=self._done / _MB, note=f"{rate:.1f} MB/s")

    def check(self) -> None:
        """Raise `AbandonedError` when this thread should stop."""
        if self._stop.is_set():
            raise AbandonedError

    def wait(self, seconds: float) -> None:
        """Wait, unless told to stop."""
        self._stop.wait(seconds)
        self.check()

    def close(self) -> None:
        """Take the bar away."""
        self._progress.remove_task(self._task)
