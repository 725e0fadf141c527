"""Segmentation masks of crops as augmentations use them."""

import torch
from torch import Tensor
from torch.nn import functional

SELF, OTHERS = 1, 2  # as crops store masks; 0 is background


def grown(region: Tensor, pixels: int) -> Tensor:
    """Widen a region (N, S, S) bool by so many pixels: by crosses and squares in turn.

    What grows from a point is an octagon, which is close to a disc (Rosenfeld & Pfaltz 1968).
    """
    wide = region.to(torch.float32)[:, None]
    for step in range(min(pixels, 2 * region.shape[-1])):
        along = functional.max_pool2d(wide, (1, 3), stride=1, padding=(0, 1))
        down = functional.max_pool2d(along if step % 2 else wide, (3, 1), stride=1, padding=(1, 0))
        wide = down if step % 2 else torch.maximum(along, down)
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
        ``black``, or ``background``: each channel's mean over the darker ones of the pixels that
        belong to no cell (0 where there are none). Darker than their mean: where nuclei alone are
        outlined, the cytoplasm of neighbours is among them.
    """
    hidden = hidden[:, None] & (touched > 0.5)[:, None, None, None]
    if fill == "black":
        return torch.where(hidden, 0.0, images)
    empty = ((mask != SELF) & (mask != OTHERS)).to(images.dtype)[:, None]
    level = _mean(images, empty)
    level = _mean(images, empty * (images <= level))
    return torch.where(hidden, level, images)


def _mean(images: Tensor, chosen: Tensor) -> Tensor:
    """Average each channel over the chosen pixels: (N, C, 1, 1), 0 where there are none."""
    total = (images * chosen).sum(dim=(2, 3), keepdim=True)
    return total / chosen.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
