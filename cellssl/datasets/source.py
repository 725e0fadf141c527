"""What every indexed source of images offers to the training loop."""

from typing import Protocol, Self

import torch
from torch import Tensor


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
    in_memory : bool
        Whether the pixels lie on the device, so that gathering never waits. If not, `read` is called
        ahead of time, in a thread, and `scaled` when they are needed. Some images are read at the start
        in any case: a run is told by them.
    """

    samples: Tensor
    channels: tuple[str, ...]
    size: int

    @property
    def in_memory(self) -> bool:
        """Whether the pixels lie on the device."""

    def __len__(self) -> int:
        """Count the images, N."""

    def gather(self, index: Tensor) -> Tensor:
        """Take images at positions `index` (B,) int64: (B, C, size, size) float32 in [0, 1]."""

    def read(self, index: Tensor) -> Tensor:
        """Read the stored pixels at positions `index` (B,), on the CPU, into host memory."""

    def read_masks(self, index: Tensor) -> Tensor | None:
        """Read the masks likewise, or None without any."""

    def scaled(self, pixels: Tensor, index: Tensor) -> Tensor:
        """Turn pixels that were read and brought to the device into what `gather` gives."""

    def gather_masks(self, index: Tensor) -> Tensor | None:
        """Take the masks of the same images: (B, M, size, size) uint8, or None without any."""

    def to(self, device: torch.device | str) -> Self:
        """Give the same source on another device."""
