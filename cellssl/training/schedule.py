"""What a step does, as pure functions of its number: its place, its cells, its learning rate."""

import logging
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cellssl.errors import TrainingError
from cellssl.training.settings import TrainingSettings

_LOG = logging.getLogger(__name__)

_FEW = 150  # steps: the demo's encoder has learnt in 192, and one of 600 cells nothing in 50
_ENOUGH = 500  # steps that such a run is given: 25 epochs of BBBC021's 4,919 cells are 475
_APART = 8  # batches that an epoch is divided into at least, and ...
_SMALLEST = 32  # ... cells of a batch


@dataclass(frozen=True)
class Plan:
    """How many steps of how many cells a run has.

    Attributes
    ----------
    samples : int
        Cells in the source.
    batch : int
        Cells that are compared with one another, over all devices; all batches have as many.
    steps : int
        Steps (updates of the weights) in an epoch. What is left of an epoch's order (less than a
        step's cells) is not used; it is other cells in each epoch.
    epochs : int
        Epochs in the run.
    warmup : int
        Steps of linear warm-up.
    accumulate : int
        Batches in a step.
    """

    samples: int
    batch: int
    steps: int
    epochs: int
    warmup: int
    accumulate: int = 1

    @property
    def total(self) -> int:
        """Steps in the run."""
        return self.steps * self.epochs

    @property
    def cells(self) -> int:
        """Cells in a step."""
        return self.batch * self.accumulate


def make_plan(samples: int, settings: TrainingSettings) -> Plan:
    """Divide `samples` cells into steps.

    Raises
    ------
    TrainingError
        With fewer than 2 cells, or fewer than a step with accumulated gradients needs.

    Examples
    --------
    >>> make_plan(1000, TrainingSettings(epochs=20, batch_size=256))
    Plan(samples=1000, batch=256, steps=3, epochs=20, warmup=6, accumulate=1)
    """
    if samples < 2:
        raise TrainingError(f"training needs at least 2 cells, got {samples}")
    drawn = cells_shown(samples, settings)
    batch = min(settings.batch_size, drawn)
    if batch < settings.batch_size:
        _LOG.warning(
            "only %d cells for an epoch: the batch has %d instead of %d",
            drawn,
            batch,
            settings.batch_size,
        )
    steps = _in_an_epoch(samples, settings)
    if steps == 0:
        raise TrainingError(
            f"accumulate: {settings.accumulate} batches of {batch} cells make a step, but an epoch has "
            f"only {drawn} cells; lower accumulate or batch_size"
        )
    warming = settings.warmup_epochs
    if warming is None:
        warming = min(10.0, settings.epochs / 10)
    warmup = round(warming * steps)
    return Plan(samples, batch, steps, settings.epochs, warmup, settings.accumulate)


def long_enough(samples: int, settings: TrainingSettings) -> TrainingSettings:
    """Give settings under which few cells make 500 steps; the same where they make 150 already.

    Protocols count epochs, and an encoder learns by steps: 25 epochs of 600 cells in batches of 256 are
    50. Batches become smaller first, so that an epoch has eight, and epochs more then. Settings under
    which even the smallest batches make no step stay as well: `make_plan` says why.

    Examples
    --------
    >>> few = long_enough(600, TrainingSettings(epochs=25, batch_size=256))
    >>> few.batch_size, few.epochs
    (64, 56)
    >>> long_enough(5000, few) is few
    True
    """
    if samples < 2 or steps(samples, settings) >= _FEW:
        return settings
    drawn = cells_shown(samples, settings)
    batch = settings.batch_size
    while batch // 2 >= _SMALLEST and batch * settings.accumulate * _APART > drawn:
        batch //= 2
    changed = settings.model_copy(update={"batch_size": batch})
    each = _in_an_epoch(samples, changed)
    if each == 0:
        return settings
    epochs = max(settings.epochs, math.ceil(_ENOUGH / each))
    return changed.model_copy(update={"epochs": epochs})


def cells_shown(samples: int, settings: TrainingSettings) -> int:
    """Give how many of so many cells an epoch draws; less than a batch of them may be left unused."""
    return min(settings.samples_per_epoch or samples, samples)


def steps(samples: int, settings: TrainingSettings) -> int:
    """Give how many steps, updates of the weights, a run of so many cells has."""
    return _in_an_epoch(samples, settings) * settings.epochs


def _in_an_epoch(samples: int, settings: TrainingSettings) -> int:
    drawn = cells_shown(samples, settings)
    return drawn // (max(min(settings.batch_size, drawn), 1) * settings.accumulate)


def epoch_order(seed: int, epoch: int, plan: Plan) -> Tensor:
    """Give the cells of an epoch in their order: a new shuffle of all cells, cut to whole batches.

    Returns
    -------
    Tensor
        (steps, accumulate, batch) int64 positions in the source, on the CPU.

    Examples
    --------
    >>> plan = make_plan(5, TrainingSettings(batch_size=2))
    >>> torch.equal(epoch_order(0, 7, plan), epoch_order(0, 7, plan))
    True
    """
    order = np.random.default_rng([seed, epoch]).permutation(plan.samples)
    used = order[: plan.steps * plan.cells]
    return torch.from_numpy(used).view(plan.steps, plan.accumulate, plan.batch)


def learning_rate(step: int, plan: Plan, *, peak: float) -> float:
    """Give the learning rate of a global step: linear warm-up to `peak`, then half a cosine to 0.

    Loshchilov & Hutter, *SGDR* (2016, arXiv 1608.03983), equation 5, without restarts.

    Examples
    --------
    >>> plan = Plan(samples=100, batch=10, steps=10, epochs=2, warmup=4)
    >>> [round(learning_rate(step, plan, peak=1.0), 3) for step in (0, 3, 4, 12, 19)]
    [0.25, 1.0, 1.0, 0.5, 0.01]
    """
    if step < plan.warmup:
        return peak * (step + 1) / plan.warmup
    progress = (step - plan.warmup) / max(plan.total - plan.warmup, 1)
    return peak * (1 + math.cos(math.pi * progress)) / 2
