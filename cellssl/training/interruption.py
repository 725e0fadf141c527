"""Asked to stop: finish the step, save, leave."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from lightning_fabric import Fabric

from cellssl.errors import StoppedError

_NAMES = ("SIGTERM", "SIGINT", "SIGUSR1")  # the last by `sbatch --signal=USR1@…`; Windows has none
_CAUGHT = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Interruption:
    """Whether a signal has asked the run to stop, and which."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Take note; a second Ctrl-C stops at once, without saving."""
        if self.signal is signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)

    def agreed(self, fabric: Fabric, *, together: bool) -> bool:
        """Whether to stop now.

        Several devices must stop after the same step: they ask one another when all of them come by
        here `together`, so that none of them waits for one that has left.
        """
        if fabric.world_size == 1:
            return bool(self)
        if not together:
            return False
        asked = torch.tensor(float(bool(self)), device=fabric.device)
        if not bool(fabric.all_reduce(asked, reduce_op="sum")):
            return False
        self.signal = self.signal or signal.SIGTERM
        return True

    def leave(self, folder: Path, step: int, *, finished: bool) -> None:
        """Stop here, if asked to; call it when everything is saved.

        Parameters
        ----------
        folder, step
            Where the run is.
        finished
            Whether that was its last step.

        Raises
        ------
        StoppedError
            After SIGTERM or SIGUSR1.
        KeyboardInterrupt
            After Ctrl-C.
        """
        if self.signal is None:
            return
        rest = "this training is finished" if finished else "the same command goes on"
        message = f"stopped by {self.signal.name} and saved at step {step}; {rest}: {folder}"
        if self.signal is signal.SIGINT:
            raise KeyboardInterrupt(message)
        raise StoppedError(message, self.signal)


@contextmanager
def watch_signals() -> Iterator[Interruption]:
    """Catch SIGTERM and SIGUSR1 (as schedulers send before they kill) and Ctrl-C inside the block.

    Signals can be caught in the main thread only; elsewhere nothing is caught.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption.ask) for number in _CAUGHT}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
