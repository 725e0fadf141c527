"""Gaussian blur, every sample by its own sigma."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.augment.separable import map_separably

__all__ = ["TRUNCATE", "gaussian_blur"]

TRUNCATE = 4.0  # the kernel ends at this many sigmas, as in scipy.ndimage.gaussian_filter


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
    # A matrix has as many weights a pixel as the picture has rows, most of them zero, a sum of
    # shifted pictures has 2 reach + 1; on a CPU each of these costs as much as four of those. A GPU
    # does not notice the zeros.
    if images.device.type == "cpu" and min(height, width) > 4 * (2 * reach + 1):
        return _add_shifted(_add_shifted(images, weights, reach, dim=2), weights, reach, dim=3)
    down = _bands(weights, height, reach)
    return map_separably(images, down, down if height == width else _bands(weights, width, reach))


def _kernel(sigma: Tensor, reach: int) -> Tensor:
    """Give the kernel's right half (…, reach + 1), normalised over both halves."""
    distance = torch.arange(reach + 1, device=sigma.device, dtype=sigma.dtype)
    spread = sigma[..., None]
    weights = torch.exp(-0.5 * (distance / spread.clamp(min=1e-3)) ** 2)
    weights = torch.where(distance <= torch.floor(TRUNCATE * spread + 0.5), weights, 0.0)
    return weights / (2.0 * weights.sum(dim=-1, keepdim=True) - weights[..., :1])


def _add_shifted(images: Tensor, weights: Tensor, reach: int, *, dim: int) -> Tensor:
    """Sum pictures that are shifted along one dimension, mirrored at the border, as weighed."""
    length = images.shape[dim]
    padding = (0, 0, reach, reach) if dim == 2 else (reach, reach, 0, 0)
    padded = functional.pad(images, padding, mode="reflect")
    weights = weights[..., None, None, :]  # (N, 1 or C, 1, 1, reach + 1)
    total = images * weights[..., 0]
    for distance in range(1, reach + 1):
        for start in (reach - distance, reach + distance):
            total.addcmul_(padded.narrow(dim, start, length), weights[..., distance])
    return total


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
