"""One training step, from the images' positions to updated weights."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from cellssl.methods import Method
from cellssl.training.classifier import OnlineClassifier
from cellssl.training.collapse import FeatureTap
from cellssl.training.optimizers import set_learning_rate
from cellssl.training.supply import Supply

# (images (B, C, S, S), seed, epoch, samples (B,)) → the views of a step, as `cellssl.augment.Views`
# makes them; with masks, partners and partner_masks by name where there are some.
ViewMaker = Callable[..., tuple[Tensor, ...]]


@dataclass(eq=False)
class Step:
    """Gather, views, forward, loss, backward, optimiser, after-step. Nothing waits for the device.

    Whatever differs from step to step lies on the device and is written in place by `turn_to`, so
    that the call itself can be recorded once and replayed.

    Parameters
    ----------
    fabric, module, optimizer
        Fabric, and the method and optimiser as it wraps them.
    method : Method
        The method itself.
    supply : Supply
        The images.
    views : callable
        Makes views of them.
    taps : tuple of FeatureTap
        One on each of the method's networks; they are told when a batch begins.
    classifier : OnlineClassifier, optional
        Learns labels from the features, beside the encoder.
    codes : Tensor, optional
        (N,) int64 class of each image, on the device, for a method that is told labels.

    Attributes
    ----------
    rows_made : int
        Pictures in all views of a batch, on this device; 0 before the first step.
    cells_seen : int
        Cells of a batch that the first view shows: all, or the first group's part of them.
    """

    fabric: Fabric
    module: Any
    optimizer: Any
    _: KW_ONLY
    method: Method
    supply: Supply
    views: ViewMaker
    taps: tuple[FeatureTap, ...]
    classifier: OnlineClassifier | None = None
    codes: Tensor | None = None

    def __post_init__(self) -> None:
        self.number = torch.zeros((), dtype=torch.long, device=self.supply.index.device)
        # On the device too: what is compiled for one seed serves all others.
        self.seed = torch.full_like(self.number, self.supply.seed)
        self.rows_made = self.cells_seen = 0

    def turn_to(self, number: int, rate: float, *, fraction: float = 1.0) -> None:
        """Say which step comes next (from 0), and its learning rate, a `fraction` of the peak."""
        self.supply.turn_to(number)
        self.number.fill_(number)
        set_learning_rate(self.optimizer, rate)
        if self.classifier is not None:
            self.classifier.set_rate(fraction)

    def __call__(self) -> Tensor:
        """Make the step; gives the mean loss of its batches (0-d), on the device."""
        parts = self.supply.plan.accumulate
        losses = [self._learn(part, last=part == parts - 1) for part in range(parts)]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.method.after_step(self.number, self.supply.plan.total)
        return torch.stack(losses).mean() if parts > 1 else losses[0]

    def forget(self) -> None:
        """Drop what a step that broke off has left behind."""
        self.optimizer.zero_grad(set_to_none=True)
        self.method.forget_step()
        for tap in self.taps:
            tap.clear()

    def _learn(self, part: int, *, last: bool) -> Tensor:
        """Add one batch's gradients; devices exchange them with the last batch only."""
        batch = self.supply.give(part)
        made = self.views(batch.images, self.seed, self.supply.epoch, batch.samples, **batch.others)
        self.rows_made = sum(map(len, made))
        self.cells_seen = seen = len(made[0])
        for tap in self.taps:
            tap.clear()
        told = {} if self.codes is None else {"codes": self.codes[batch.index]}
        with self.fabric.no_backward_sync(self.module, enabled=not last):
            shown = (v.contiguous(memory_format=torch.channels_last) for v in made)
            loss = self.module(*shown, **told)
            self.fabric.backward(loss / self.supply.plan.accumulate)
        if self.classifier is not None:
            # The first view: it shows the image itself, whoever the second one shows.
            self.classifier.learn(self.taps[0].features[0][:seen], batch.index[:seen])
        return loss.detach()
