"""Affine geometry in centred pixels: matrices, and the one resampling that a view makes."""

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["affine", "centre_crop", "compose", "resample"]


def affine(
    xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor, x: Tensor | None = None, y: Tensor | None = None
) -> Tensor:
    """Build (N, 3, 3) from its entries (N,): result (x, y, 1) → source, in centred pixels."""
    zero, one = torch.zeros_like(xx), torch.ones_like(xx)
    x = zero if x is None else x
    y = zero if y is None else y
    return torch.stack([xx, xy, x, yx, yy, y, zero, zero, one], dim=-1).reshape(-1, 3, 3)


def compose(matrices: list[Tensor]) -> Tensor:
    """Multiply the matrices of operations that act one after the other, the first one first.

    Matrices lead from the result back to the source, hence first @ second @ …: the last operation's
    pixels are looked up through it first.
    """
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total @ matrix
    return total


def centre_crop(images: Tensor, size: int) -> Tensor:
    """Cut (N, C, size, size) out of the middle; pixels are untouched."""
    top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
    return images[..., top : top + size, left : left + size]


def resample(images: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Read (N, C, size, size) out of larger images, bilinear; mirror beyond their border.

    The view's centre is that of `centre_crop`, so that an identity matrix gives the same pixels (to
    float precision).
    """
    height, width = images.shape[-2:]
    # Stored pixel coordinate of the view's centre, plus one half: grid_sample counts from a pixel's
    # edge.
    middle_x = (width - size) // 2 + size / 2
    middle_y = (height - size) // 2 + size / 2
    row_x = torch.stack(
        [
            matrix[:, 0, 0] * (size / width),
            matrix[:, 0, 1] * (size / width),
            (matrix[:, 0, 2] + middle_x) * (2 / width) - 1,
        ],
        dim=-1,
    )
    row_y = torch.stack(
        [
            matrix[:, 1, 0] * (size / height),
            matrix[:, 1, 1] * (size / height),
            (matrix[:, 1, 2] + middle_y) * (2 / height) - 1,
        ],
        dim=-1,
    )
    theta = torch.stack([row_x, row_y], dim=1)
    grid = functional.affine_grid(
        theta, [images.shape[0], images.shape[1], size, size], align_corners=False
    )
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
