"""A run's folder and state: who it is, how far it is, what it keeps."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor

import cellssl
from cellssl.datasets import Source
from cellssl.errors import TrainingError
from cellssl.methods import Method
from cellssl.training.checkpoint import (
    CHECKPOINT,
    differences,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from cellssl.training.collapse import FeatureTap, warn_if_collapsed
from cellssl.training.environment import write_environment
from cellssl.training.metrics import MetricsFile
from cellssl.training.optimizers import load_optimizer
from cellssl.training.schedule import Plan
from cellssl.training.settings import TrainingSettings

__all__ = ["Run", "identify", "previous", "start_fabric"]

_LOG = logging.getLogger(__name__)
_ROW = 50  # steps between rows of metrics.csv, and so between readings of the loss
_HARMLESS = ("checkpoint_minutes", "because", "description")  # change nothing in the result


def start_fabric(device: str, precision: str) -> Fabric:
    """Choose one device and its number format."""
    kind, _, number = device.partition(":")
    try:
        return Fabric(
            accelerator=kind,
            devices=[int(number)] if number else 1,
            precision=precision,  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise TrainingError(
            f"cannot train on device {device!r} with precision {precision!r}: {error}. Use "
            "--device auto, or cpu."
        ) from error


def identify(
    method: Method, source: Source, settings: TrainingSettings, description: Mapping[str, Any]
) -> dict[str, Any]:
    """Say in plain values what a run is: only a run that is the same may go on.

    Raises
    ------
    TrainingError
        When method, settings and images do not belong together.
    """
    encoder = dict(method.encoder.describe())
    pairs = {
        "method": (method.name, settings.method),
        "encoder": (encoder["name"], settings.encoder),
        "width": (encoder["width"], settings.width),
        "stem": (encoder["stem"], settings.stem),
        "channels": (encoder["in_channels"], len(source.channels)),
    }
    for name, (built, wanted) in pairs.items():
        if built != wanted:
            raise TrainingError(
                f"{name}: the method was built with {built!r}, the settings or images have "
                f"{wanted!r}"
            )
    samples = source.samples.cpu().numpy().tobytes()
    identity = {
        "encoder": encoder,
        "settings": settings.model_dump(mode="json"),
        "data": {
            "cells": len(source),
            "fingerprint": hashlib.sha256(samples).hexdigest()[:16],
            "channels": list(source.channels),
            "size": source.size,
        },
        **description,
    }
    # As plain as a weights-only file holds it, and comparable with what is read back: no tuples, no
    # NumPy numbers.
    return json.loads(json.dumps(identity))


def previous(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Load the checkpoint of an earlier part of the same run, if there is one.

    Raises
    ------
    TrainingError
        When the folder holds another run: says in what it differs.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    saved = load_checkpoint(folder)
    there = {key: saved[key] for key in identity if key in saved}
    # By last name and values: a protocol repeats the settings, and is then told once.
    found: dict[str, str] = {}
    for line in differences(there, identity):
        name, values = line.split(": ", 1)
        key = name.rsplit(".", 1)[-1]
        if key not in _HARMLESS:
            found.setdefault(f"{key} {values}", line)
    if found:
        raise TrainingError(
            f"{folder} holds another run ({'finished' if saved['finished'] else 'unfinished'}, "
            f"step {saved['step']}). {'; '.join([*found.values()][:8])}. Choose another folder with --out, "
            "delete this one, or use what it was started with. A run cannot be prolonged, since "
            "its learning rate follows from its number of epochs."
        )
    return saved


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
    """How far a run is, and everything that it writes.

    Parameters
    ----------
    folder, fabric, method, optimizer, plan
        Its parts.
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
        fabric: Fabric,
        method: Method,
        optimizer: Any,
        plan: Plan,
        identity: Mapping[str, Any],
        saved: Mapping[str, Any] | None,
    ) -> None:
        self.folder, self.plan, self.step = folder, plan, 0
        self._fabric, self._method, self._optimizer = fabric, method, optimizer
        self._identity = identity
        self._losses = torch.zeros(_ROW, device=fabric.device)
        self._seconds = self._row_began = 0.0
        self._note = ""
        if saved is not None:
            self._restore(saved)
        with _disk(folder):
            self._metrics = MetricsFile(folder / "metrics.csv", step=self.step)
            write_environment(folder / "environment.json", fabric.device, first_step=self.step)
        self._tap = FeatureTap(method.encoder)
        self._clock = self._last_save = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tap.remove()

    @property
    def epoch_ended(self) -> bool:
        """Whether the last step was the last of its epoch."""
        return self.step % self.plan.steps == 0

    def overdue(self, minutes: float) -> bool:
        """Whether the last checkpoint is older than so many minutes."""
        return time.perf_counter() - self._last_save >= 60 * minutes

    def record(self, loss: Tensor, rate: float, *, views: int = 2) -> str:
        """Count a step and keep its loss, on the device; every so many steps write a row.

        `views` are the augmented images that a cell gave in the step.

        Returns
        -------
        str
            What to show beside the progress bar: the numbers of the last row.
        """
        place = self.step % self.plan.steps % _ROW
        self._losses[place] = loss
        self.step += 1
        if place + 1 < _ROW and not self.epoch_ended:
            return self._note
        values = self._finite_losses()
        now = self._elapsed()
        row: dict[str, float | int] = {
            "epoch": (self.step - 1) // self.plan.steps + 1,
            "step": self.step,
            "loss": sum(values) / len(values),
            "lr": rate,
            "seconds": now,
            "images_per_second": views * self.plan.batch * len(values) / (now - self._row_began),
        }
        if self.epoch_ended:
            row["feature_std"], row["effective_rank"] = self._tap.read()
            warn_if_collapsed(row["feature_std"], row["effective_rank"], epoch=int(row["epoch"]))
        with _disk(self.folder):
            self._metrics.append(row)
        self._row_began = now
        self._note = f"loss {row['loss']:.3f}  {row['images_per_second']:.0f} images/s"
        return self._note

    def save(self) -> None:
        """Write the checkpoint, unless what it would hold is spoilt."""
        if not self.epoch_ended:
            self._finite_losses()
        states = self._method.state_dict()
        if not all(torch.isfinite(t).all() for t in states.values() if t.is_floating_point()):
            self._stop(self.step, "a weight is no longer a finite number")
        prefix = "encoder."
        checkpoint = {
            "cellssl": cellssl.__version__,
            **self._identity,
            "encoder_state": {
                name.removeprefix(prefix): value
                for name, value in states.items()
                if name.startswith(prefix)
            },
            "method_state": {n: value for n, value in states.items() if not n.startswith(prefix)},
            "optimizer_state": self._optimizer.state_dict(),
            "precision_state": self._fabric.strategy.precision.state_dict(),
            "epoch": self.step // self.plan.steps,
            "step": self.step,
            "finished": self.step == self.plan.total,
            "losses": self._losses,
            "seconds": self._elapsed(),
            "row_began": self._row_began,
        }
        with _disk(self.folder):
            save_checkpoint(self.folder / CHECKPOINT, checkpoint)
        self._last_save = time.perf_counter()

    def _restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from a checkpoint."""
        states = {f"encoder.{name}": value for name, value in saved["encoder_state"].items()}
        load_weights(self._method, states | saved["method_state"], source=self.folder)
        load_optimizer(self._optimizer, saved["optimizer_state"])
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
