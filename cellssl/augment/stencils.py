"""Segmentation masks of crops as augmentations use them."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["OTHERS", "SELF", "cover", "grown"]

SELF, OTHERS = 1, 2  # as crops store masks; 0 is background


def grown(region: Tensor, pixels: int) -> Tensor:
    """Widen a region (N, S, S) bool by so many pixels, by squares of that reach."""
    if pixels == 0:
        return region
    reach = min(pixels, region.shape[-1] - 1)
    wide = region.to(torch.float32)[:, None]
    for side in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
        padding = (side[0] // 2, side[1] // 2)
        wide = functional.max_pool2d(wide, side, stride=1, padding=padding)
    return wide[:, 0] > 0.5


def cover(images: Tensor, mask: Tensor, hidden: Tensor, touched: Tensor, fill: str) -> Tensor:
    """Fill what is hidden, in the samples that are touched.

    Parameters
    ----------
    images
        (N, C, S, S).
    mask
        (N, S, S) uint8.
    hidden
        (N, S, S) bool.
    touched
        (N,): above one half means yes.
    fill
        ``black``, or ``background``: each channel's mean over the pixels that belong to no cell
        (0 where there are none).
    """
    hidden = hidden[:, None] & (touched > 0.5)[:, None, None, None]
    if fill == "black":
        return torch.where(hidden, 0.0, images)
    empty = ((mask != SELF) & (mask != OTHERS)).to(images.dtype)[:, None]
    level = (images * empty).sum(dim=(2, 3), keepdim=True)
    level = level / empty.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    return torch.where(hidden, level, images)
