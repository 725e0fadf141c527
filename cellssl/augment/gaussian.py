"""Gaussian blur, every sample by its own sigma: two batched products with banded matrices."""

import torch
from torch import Tensor

__all__ = ["TRUNCATE", "gaussian_blur"]

TRUNCATE = 4.0  # the kernel ends at this many sigmas, as in scipy.ndimage.gaussian_filter
_TILE = 32


def gaussian_blur(images: Tensor, sigma: Tensor, *, largest: float) -> Tensor:
    """Blur as ``scipy.ndimage.gaussian_filter(mode="mirror")``, each sample by its own sigma.

    Parameters
    ----------
    images
        (N, C, H, W).
    sigma
        (N, 1), or (N, C) for one per channel, in pixels; 0 leaves an image exactly as it is.
    largest
        The largest sigma that can occur: it fixes the width of the band, hence all shapes, without
        asking the device.
    """
    reach = int(TRUNCATE * largest + 0.5)
    weights = _kernel(sigma, reach)
    height, width = images.shape[-2:]
    down = _bands(weights, height, reach)
    along = down if height == width else _bands(weights, width, reach)
    blurred = torch.empty_like(images)
    for channel in range(images.shape[1]):  # channel by channel: no matrix is ever repeated
        row = channel if sigma.shape[1] > 1 else 0
        part = torch.empty_like(images[:, channel])
        for wide, near in _tiles(width, reach, images.device):
            matrix = along[:, row, wide, near].transpose(1, 2)
            part[:, :, wide] = torch.bmm(images[:, channel, :, near], matrix)
        for high, near in _tiles(height, reach, images.device):
            blurred[:, channel, high] = torch.bmm(down[:, row, high, near], part[:, near])
    return blurred


def _tiles(length: int, reach: int, device: torch.device) -> list[tuple[slice, slice]]:
    """Pair ranges of results with the sources in their band, so that a CPU skips most zeros.

    A GPU multiplies the zeros faster than it launches another kernel: there all is one tile.
    """
    tile = _TILE if device.type == "cpu" else length
    return [
        (
            slice(low, min(low + tile, length)),
            slice(max(0, low - reach), min(length, low + tile + reach)),
        )
        for low in range(0, length, tile)
    ]


def _kernel(sigma: Tensor, reach: int) -> Tensor:
    """Give the kernel's right half (…, reach + 1), normalised over both halves."""
    distance = torch.arange(reach + 1, device=sigma.device, dtype=sigma.dtype)
    spread = sigma[..., None]
    weights = torch.exp(-0.5 * (distance / spread.clamp(min=1e-3)) ** 2)
    weights = torch.where(distance <= torch.floor(TRUNCATE * spread + 0.5), weights, 0.0)
    return weights / (2.0 * weights.sum(dim=-1, keepdim=True) - weights[..., :1])


def _bands(weights: Tensor, length: int, reach: int) -> Tensor:
    """Spread kernels (…, reach + 1) over matrices (…, length, length) that mirror at the ends.

    ``basis[d, i, j]`` counts how often the pixel j is met at distance d from i; it is the same for
    all samples, so the matrices are one small product of kernels and basis.
    """
    place = torch.arange(length, device=weights.device)
    distance = torch.arange(reach + 1, device=weights.device)[:, None]
    period = max(2 * (length - 1), 1)
    basis = torch.zeros(reach + 1, length, length, device=weights.device, dtype=weights.dtype)
    for side in (distance, -distance):
        folded = (place + side) % period
        met = torch.minimum(folded, period - folded) % length
        basis = basis + (met[:, :, None] == place).to(weights.dtype)
    basis = torch.cat([basis[:1] / 2, basis[1:]])  # distance 0 was counted from both sides
    return (weights @ basis.reshape(reach + 1, -1)).unflatten(-1, (length, length))
