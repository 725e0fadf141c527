"""Linear maps of rows and columns, every sample by its own: blur, resolution, shift, frequencies.

A picture times a small matrix from either side is what CPUs and GPUs do fastest, and it is exact,
mirrors and all: the matrix says which pixels a pixel is made of.
"""

import math

import torch
from torch import Tensor

__all__ = ["cosine_basis", "filter_frequencies", "frequencies", "map_separably"]


def map_separably(images: Tensor, down: Tensor, along: Tensor) -> Tensor:
    """Give ``down @ image @ along.T`` for every channel.

    Parameters
    ----------
    images
        (N, C, H, W).
    down, along
        (N, 1, H, H) and (N, 1, W, W) for all channels alike, or with C instead of 1.
    """
    if along.shape[1] > 1:
        return down @ (images @ along.transpose(-1, -2))
    count, channels, height, width = images.shape
    rows = images.reshape(count, channels * height, width)
    mapped = torch.bmm(rows, along[:, 0].transpose(-1, -2))
    return down @ mapped.view(count, channels, height, width)


def cosine_basis(length: int, like: Tensor) -> Tensor:
    """Give the orthonormal cosines (length, length), a row each (the DCT-II).

    They are the waves of a line that is mirrored at its ends: filtering in them needs no padding.
    """
    k = torch.arange(length, device=like.device, dtype=like.dtype)[:, None]
    x = torch.arange(length, device=like.device, dtype=like.dtype) + 0.5
    basis = torch.cos(math.pi / length * k * x) * math.sqrt(2.0 / length)
    return torch.where(k == 0, math.sqrt(1.0 / length), basis)


def frequencies(like: Tensor) -> Tensor:
    """Give the spatial frequency (H, W) of each pair of cosines of images, in cycles per pixel."""
    height, width = like.shape[-2:]
    down = torch.arange(height, device=like.device, dtype=like.dtype)[:, None] / (2 * height)
    along = torch.arange(width, device=like.device, dtype=like.dtype) / (2 * width)
    return torch.hypot(down, along)


def filter_frequencies(images: Tensor, gains: Tensor) -> Tensor:
    """Weigh the cosines of images (N, C, H, W) by `gains` (N, 1 or C, H, W), at `frequencies`."""
    down, along = (cosine_basis(length, images) for length in images.shape[-2:])
    waves = down @ images @ along.T * gains
    return down.T @ waves @ along
