"""What every indexed source of images offers to the training loop."""

from typing import Protocol, Self

import torch
from torch import Tensor

__all__ = ["Source"]


class Source(Protocol):
    """N images of one size, gathered by position on a device.

    Attributes
    ----------
    samples : Tensor
        (N,) int64, on the source's device: an id per image that stays the same whatever subset or
        order it is part of. Augmentations draw from it.
    channels : tuple of str
        The C channels in their order.
    size : int
        Height and width in pixels.
    """

    samples: Tensor
    channels: tuple[str, ...]
    size: int

    def __len__(self) -> int:
        """Count the images, N."""

    def gather(self, index: Tensor) -> Tensor:
        """Take images at positions `index` (B,) int64: (B, C, size, size) float32 in [0, 1]."""

    def gather_masks(self, index: Tensor) -> Tensor | None:
        """Take the masks of the same images: (B, M, size, size) uint8, or None without any."""

    def to(self, device: torch.device | str) -> Self:
        """Give the same source on another device."""
