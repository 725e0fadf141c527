"""Geometry in centred pixels: matrices, and the one resampling that a view makes."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Border = Literal["neighbours", "mirror", "zeros"]
Interpolation = Literal["bilinear", "bicubic"]


def affine(
    xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor, x: Tensor | None = None, y: Tensor | None = None
) -> Tensor:
    """Build (N, 3, 3) from its entries (N,): result (x, y, 1) → source, in centred pixels."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    x = zero if x is None else x
    y = zero if y is None else y
    return torch.stack([xx, xy, x, yx, yy, y, zero, zero, one], dim=-1).reshape(-1, 3, 3)


def centre_crop(images: Tensor, size: int) -> Tensor:
    """Cut (N, C, size, size) out of the middle; pixels are untouched."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def make_grid(matrix: Tensor, size: int, offsets: Tensor | None = None) -> Tensor:
    """Give (N, size, size, 2): the centred (x, y) in pixels that each pixel is read from.

    Parameters
    ----------
    matrix
        (N, 3, 3) from the result to the source.
    size
        Height and width of the result.
    offsets
        (N, 2, size, size) pixels right and down, added in the source.
    """
    place = torch.arange(size, device=matrix.device, dtype=matrix.dtype) - (size - 1) / 2
    along = matrix[:, None, :2, 0] * place[:, None] + matrix[:, None, :2, 2]  # (N, size, 2)
    down = matrix[:, None, :2, 1] * place[:, None]
    if matrix.device.type == "cpu":  # as x + iy: ten times as fast as a loop over pairs
        along, down = torch.view_as_complex(along), torch.view_as_complex(down)
        grid = torch.view_as_real(along[:, None] + down[:, :, None])
    else:
        grid = along[:, None] + down[:, :, None]
    return grid if offsets is None else grid + offsets.permute(0, 2, 3, 1)


def resample(
    images: Tensor,
    matrix: Tensor,
    size: int,
    *,
    offsets: Tensor | None = None,
    border: Border = "neighbours",
    interpolation: Interpolation = "bilinear",
    inside: bool = False,
) -> Tensor:
    """Read (N, C, size, size) out of images, once.

    Parameters
    ----------
    images
        (N, C, H, W), at least as large as the result.
    matrix, size, offsets
        As for `make_grid`. The middle is that of `centre_crop`, so that an identity matrix gives
        the same pixels (to float precision).
    border
        What lies beyond: ``neighbours`` reads all there is in images that are larger than the
        result and mirrors beyond them; ``mirror`` and ``zeros`` see the central part alone, and
        mirrored or black pixels around it.
    interpolation
        ``bilinear``, or ``bicubic`` (a = −0.75, as in torch; may overshoot).
    inside
        True promises that no position lies beyond the border, which saves looking for it.
    """
    if border != "neighbours":
        images = centre_crop(images, size)
    height, width = images.shape[-2:]
    # grid_sample counts from the picture's left edge at −1 to its right edge at 1.
    x, y, one = matrix.unbind(dim=1)
    middle_x, middle_y = (width - size) // 2 + size / 2, (height - size) // 2 + size / 2
    x = x * (2 / width) + one * (middle_x * 2 / width - 1)
    y = y * (2 / height) + one * (middle_y * 2 / height - 1)
    if offsets is not None:
        offsets = torch.stack([offsets[:, 0] * (2 / width), offsets[:, 1] * (2 / height)], dim=1)
    fill = "zeros" if border == "zeros" else "reflection"
    if inside and interpolation == "bilinear":
        fill = "border"  # the same within the picture, at two thirds of the time
    return functional.grid_sample(
        images,
        make_grid(torch.stack([x, y, one], dim=1), size, offsets),
        mode=interpolation,
        padding_mode=fill,
        align_corners=False,
    )
