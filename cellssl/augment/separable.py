"""Linear maps of rows and columns, every sample by its own: blur, resolution, shift, frequencies.

A picture times a small matrix from either side is what CPUs and GPUs do fastest, and it is exact,
mirrors and all: the matrix says which pixels a pixel is made of.
"""

import math

import torch
from torch import Tensor

_TILE = 16  # pixels, at least: smaller products are slower than the zeros that they avoid


def map_separably(
    images: Tensor, down: Tensor, along: Tensor, *, reach: int | None = None
) -> Tensor:
    """Give ``down @ image @ along.T`` for every channel.

    Parameters
    ----------
    images
        (N, C, H, W).
    down, along
        (N, 1, H, H) and (N, 1, W, W) for all channels alike, or with C instead of 1.
    reach
        How far from the diagonal the matrices hold anything but zeros, if not everywhere: a CPU
        leaves most of the zeros out.
    """
    height, width = images.shape[-2:]
    banded = reach if images.device.type == "cpu" else None
    rows = images.reshape(*along.shape[:2], -1, width)  # of all channels, if they are alike
    across = along.transpose(-1, -2)
    parts = [rows[..., seen] @ across[..., seen, tile] for tile, seen in _tiles(width, banded)]
    mapped = _join(parts, dim=-1).view(images.shape)
    tiles = _tiles(height, banded)
    return _join([down[..., tile, seen] @ mapped[..., seen, :] for tile, seen in tiles], dim=-2)


def _tiles(length: int, reach: int | None) -> list[tuple[slice, slice]]:
    """Cut a line of pixels into tiles, each with the pixels that it sees."""
    size = length if reach is None else max(_TILE, reach)
    if reach is None or 2 * (size + 2 * reach) > length:  # not worth it
        return [(slice(length), slice(length))]
    return [
        (slice(start, start + size), slice(max(0, start - reach), start + size + reach))
        for start in range(0, length, size)
    ]


def _join(parts: list[Tensor], *, dim: int) -> Tensor:
    """Put the tiles side by side."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


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
