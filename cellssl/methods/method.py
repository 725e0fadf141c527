"""What every method is: an encoder, its heads, a loss of two views."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from cellssl.encoders import Encoder
from cellssl.errors import TrainingError


class Method(nn.Module, ABC):
    """An encoder with whatever else it needs to learn.

    A method sees two views of the same cells and gives one number. Several crops are a mean of
    `loss` over pairs (`forward`); several groups of views are sums made by the caller, they share
    `encoder` and have a method (heads) each.

    A step must never wait for the device: neither `loss` nor `after_step` reads a tensor's value,
    branches on one, or makes shapes that depend on data. What changes from step to step lives in
    buffers, written in place.

    Attributes
    ----------
    name : str
        The name that it is registered under.
    encoder : Encoder
        The network whose features are kept: the one that gradients reach, never a moving average.
    projector : nn.Sequential
        The head between these features and the loss.
    directions : bool
        Whether the loss compares directions alone, so that a projection's length means nothing.
    labelled : bool
        Whether it is told what the cells show, in `forward`'s ``codes``: (B,) int64 classes, −1 where
        they are not known. All others learn without labels.
    """

    name: ClassVar[str]
    directions: ClassVar[bool] = False
    labelled: ClassVar[bool] = False
    encoder: Encoder
    projector: nn.Sequential

    @abstractmethod
    def loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """Compare two views of the same cells.

        Parameters
        ----------
        view1, view2 : Tensor
            (B, C, H, W); row i of both shows the same cell.

        Returns
        -------
        Tensor
            0-d float32 (float64 where the weights are), computed outside autocast.
        """

    def forward(self, view1: Tensor, view2: Tensor, *small: Tensor) -> Tensor:
        """Give the mean `loss` over pairs: what wrappers for precision and many devices call.

        Without further views that is the loss of the two; each further one (multi-crop, Caron et
        al. 2020, arXiv 2006.09882) is compared with both. Views are encoded anew for each pair.
        """
        losses = [self.loss(view1, view2)]
        losses += [self.loss(view, large) for view in small for large in (view1, view2)]
        return torch.stack(losses).mean() if small else losses[0]

    def begin(self, samples: int, batch_size: int) -> None:
        """Prepare for `samples` images, `batch_size` of them in a step; nothing by default."""

    def after_step(self, step: Tensor | int, total: int) -> None:
        """Update what gradients do not, after each optimiser step; nothing by default.

        Parameters
        ----------
        step : Tensor or int
            The global step just made, from 0; a 0-d tensor on the device, or a number.
        total : int
            Steps in the whole run.
        """

    @property
    def networks(self) -> tuple[Encoder, ...]:
        """The networks that losses see features of: the encoder, where it has no branches."""
        return (self.encoder,)

    def forget_step(self) -> None:
        """Drop what a step that broke off before its `after_step` left behind; usually nothing."""


def check_batch(batch_size: int) -> None:
    """Refuse a batch in which no cell has another to be compared with."""
    if batch_size < 2:
        raise TrainingError(f"this loss needs at least 2 cells in a batch, got {batch_size}")


def full_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Give float32 (or wider) tensors: similarities overflow or round in 16 bits."""
    return tuple(t if t.dtype == torch.float64 else t.float() for t in tensors)
