"""A run's folder and state: how far it is, what it keeps."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import cellssl
from cellssl.errors import TrainingError
from cellssl.state_dict import load_state
from cellssl.training.checkpoint import CHECKPOINT, save_checkpoint
from cellssl.training.collapse import warn_if_collapsed
from cellssl.training.environment import write_environment
from cellssl.training.metrics import MetricsFile, TensorBoard
from cellssl.training.online import OnlineTables
from cellssl.training.optimizers import load_optimizer
from cellssl.training.schedule import Plan
from cellssl.training.step import Step

_LOG = logging.getLogger(__name__)
_SHARE = 50  # the time between checkpoints over the time that one takes, at least
_ROW = 50  # steps between rows of metrics.csv, and so between readings of the loss


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn a full disk or a lost folder into an error that says what is kept."""
    try:
        yield
    except OSError as error:
        kept = folder / CHECKPOINT
        state = (
            f"{kept} is the last good checkpoint" if kept.exists() else "there is no checkpoint yet"
        )
        raise TrainingError(
            f"cannot write to {folder}: {error.strerror or error}; {state}. Free space and run the "
            "same command again: it goes on from there."
        ) from error


class Run:
    """How far a run is, and everything that it writes (by the first of several devices).

    Parameters
    ----------
    folder : Path
        The run folder.
    step : Step
        What is done at each step; its method, optimiser and classifier are saved.
    plan : Plan
        How many steps there are.
    identity : mapping
        See `identify`.
    saved : mapping or None
        The checkpoint to go on from.

    Attributes
    ----------
    step : int
        Steps made so far.
    """

    def __init__(
        self,
        folder: Path,
        step: Step,
        plan: Plan,
        identity: Mapping[str, Any],
        saved: Mapping[str, Any] | None,
    ) -> None:
        self.folder, self.plan, self.step = folder, plan, 0
        self._parts, self._fabric, self._identity = step, step.fabric, identity
        self._losses = torch.zeros(_ROW, device=self._fabric.device)
        self._seconds = self._row_began = 0.0
        self._note = ""
        if saved is not None:
            self._restore(saved)
        self._writes = self._fabric.is_global_zero
        self._online: OnlineTables | None = None
        if self._writes:
            self._open_books()
        self._clock = self._last_save = time.perf_counter()
        self._saving = 0.0  # seconds that the last checkpoint took

    def _open_books(self) -> None:
        """Open the files that grow, and say what the run runs on."""
        with _disk(self.folder):
            self._metrics = MetricsFile(self.folder / "metrics.csv", step=self.step)
            self._board = TensorBoard(self.folder, step=self.step)
            device = self._fabric.device
            write_environment(
                self.folder / "environment.json",
                device,
                first_step=self.step,
                devices=self._fabric.world_size,
            )
            if self._parts.classifier is not None:
                self._online = OnlineTables(self.folder, self._parts.classifier, step=self.step)

    def close(self) -> None:
        """Let go of the encoder, of what was read ahead, and of open files."""
        for tap in self._parts.taps:
            tap.remove()
        self._parts.supply.close()
        if self._writes:
            self._board.close()

    @property
    def epoch_ended(self) -> bool:
        """Whether the last step was the last of its epoch."""
        return self.step % self.plan.steps == 0

    @property
    def row_ended(self) -> bool:
        """Whether the last step ended a row of ``metrics.csv``."""
        return self.epoch_ended or self.step % self.plan.steps % _ROW == 0

    def due(self, minutes: float) -> bool:
        """Whether to write a checkpoint: at an epoch's end, or when the last is so many minutes old.

        Where epochs are over before their checkpoint is written, as on a GPU, some go without one:
        writing takes up to a fiftieth of the time. The last epoch has one always.
        """
        age = time.perf_counter() - self._last_save
        if self.epoch_ended:
            return self.step == self.plan.total or age >= _SHARE * self._saving
        return age >= 60 * minutes

    def record(self, loss: Tensor, rate: float) -> str:
        """Count a step and keep its loss, on the device; every so many steps write a row.

        Returns
        -------
        str
            What to show beside the progress bar: the numbers of the last row.
        """
        self._losses[self.step % self.plan.steps % _ROW] = loss
        self.step += 1
        if not self.row_ended:
            return self._note
        values = self._finite_losses()
        now = self._elapsed()
        batches = len(values) * self.plan.accumulate * self._fabric.world_size
        row: dict[str, float | int] = {
            "epoch": (self.step - 1) // self.plan.steps + 1,
            "step": self.step,
            "loss": sum(values) / len(values),
            "lr": rate,
            "seconds": now,
            "images_per_second": self._parts.rows_made * batches / (now - self._row_began),
        }
        self._row_began = now
        self._note = f"loss {row['loss']:.3f}  {row['images_per_second']:.0f} images/s"
        if self._writes:
            self._write(row)
        return self._note

    def _write(self, row: dict[str, float | int]) -> None:
        """Write a row; at an epoch's end with what is known of the features."""
        epoch = int(row["epoch"])
        with _disk(self.folder):
            if self.epoch_ended:
                taps = self._parts.taps
                seen = self._parts.rows_made // len(taps)  # by each of the networks
                spreads = [tap.read(self._parts.cells_seen, seen) for tap in taps]
                row |= vars(spreads[0])
                for spread in spreads:
                    if warn_if_collapsed(spread, epoch=epoch):
                        break
                if self._online is not None:
                    row["online_accuracy"] = self._online.epoch_ended(epoch, self.step)
                    if self.step == self.plan.total:
                        self._online.run_ended(self._parts.method.networks[0], epoch, self.step)
            self._metrics.append(row)
            self._board.append(row)

    def save(self) -> None:
        """Write the checkpoint, unless what it would hold is spoilt."""
        began = time.perf_counter()
        if not self.row_ended:
            self._finite_losses()
        states = self._parts.method.state_dict()
        if not all(torch.isfinite(t).all() for t in states.values() if t.is_floating_point()):
            self._stop(self.step, "a weight is no longer a finite number")
        if self._writes:
            with _disk(self.folder):
                save_checkpoint(self.folder / CHECKPOINT, self._checkpoint(states))
        self._last_save = time.perf_counter()
        self._saving = self._last_save - began

    def _checkpoint(self, states: Mapping[str, Tensor]) -> dict[str, Any]:
        """Gather all that a run goes on from, and all that its encoder is rebuilt from."""
        prefix, classifier = "encoder.", self._parts.classifier
        return {
            "cellssl": cellssl.__version__,
            **self._identity,
            "described": list(self._identity),
            "encoder_state": {
                name.removeprefix(prefix): value
                for name, value in states.items()
                if name.startswith(prefix)
            },
            "method_state": {n: value for n, value in states.items() if not n.startswith(prefix)},
            "classifier_state": {} if classifier is None else classifier.state_dict(),
            "optimizer_state": self._parts.optimizer.state_dict(),
            "precision_state": self._fabric.strategy.precision.state_dict(),
            "epoch": self.step // self.plan.steps,
            "step": self.step,
            "finished": self.step == self.plan.total,
            "losses": self._losses,
            "seconds": self._elapsed(),
            "row_began": self._row_began,
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        states = {f"encoder.{name}": value for name, value in saved["encoder_state"].items()}
        source = f"the checkpoint in {self.folder}"
        load_state(self._parts.method, states | saved["method_state"], source=source)
        load_optimizer(self._parts.optimizer, saved["optimizer_state"])
        if self._parts.classifier is not None:
            load_state(self._parts.classifier, saved["classifier_state"], source=source)
        self._fabric.strategy.precision.load_state_dict(saved["precision_state"])
        self._losses.copy_(saved["losses"])
        self.step, self._seconds = saved["step"], saved["seconds"]
        self._row_began = saved["row_began"]
        _LOG.info("going on from step %d of %d in %s", self.step, self.plan.total, self.folder)

    def _elapsed(self) -> float:
        """Seconds of training so far, over all parts of the run."""
        return self._seconds + time.perf_counter() - self._clock

    def _finite_losses(self) -> list[float]:
        """Read the losses since the last row; stop at the first that is not a number."""
        kept = (self.step - 1) % self.plan.steps % _ROW + 1
        if self.row_ended and self._fabric.world_size > 1:  # all ranks come by here together
            reduced: Any = self._fabric.all_reduce(self._losses, reduce_op="mean")
            self._losses.copy_(reduced)
        values: list[float] = self._losses[:kept].tolist()
        for place, value in enumerate(values):
            if not -float("inf") < value < float("inf"):
                self._stop(self.step - kept + place + 1, f"the loss became {value}")
        return values

    def _stop(self, step: int, reason: str) -> None:
        """End a run that has gone astray."""
        kept = self.folder / CHECKPOINT
        state = f"{kept} is from before" if kept.exists() else "there was no checkpoint yet"
        epoch = (step - 1) // self.plan.steps + 1
        raise TrainingError(
            f"{reason} at step {step} (epoch {epoch}); {state}. Train into a new folder with a "
            "lower lr, a longer warmup_epochs, or precision 32-true."
        )
