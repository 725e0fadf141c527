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
    # A matrix has `length` weights a pixel, most of them zero, the kernel 2 reach + 1; on a CPU one
    # of a convolution costs as much as three of a matrix product. A GPU does not notice the zeros.
    if images.device.type == "cpu" and min(height, width) >= 3 * (2 * reach + 1):
        return _convolve(images, weights, reach)
    down = _bands(weights, height, reach)
    return map_separably(images, down, down if height == width else _bands(weights, width, reach))


def _kernel(sigma: Tensor, reach: int) -> Tensor:
    """Give the kernel's right half (…, reach + 1), normalised over both halves."""
    distance = torch.arange(reach + 1, device=sigma.device, dtype=sigma.dtype)
    spread = sigma[..., None]
    weights = torch.exp(-0.5 * (distance / spread.clamp(min=1e-3)) ** 2)
    weights = torch.where(distance <= torch.floor(TRUNCATE * spread + 0.5), weights, 0.0)
    return weights / (2.0 * weights.sum(dim=-1, keepdim=True) - weights[..., :1])


def _convolve(images: Tensor, weights: Tensor, reach: int) -> Tensor:
    """Sum along columns, then along rows."""
    count, channels, height, width = images.shape
    planes = count * channels
    kernel = torch.cat([weights.flip(-1)[..., :-1], weights], dim=-1).expand(-1, channels, -1)
    kernel = kernel.reshape(planes, 1, 1, -1)
    padded = functional.pad(images, (0, 0, reach, reach), mode="reflect")
    padded = padded.reshape(1, planes, height + 2 * reach, width)
    columns = functional.conv2d(padded, kernel.transpose(-1, -2), groups=planes)
    padded = functional.pad(columns, (reach, reach, 0, 0), mode="reflect")
    return functional.conv2d(padded, kernel, groups=planes).reshape(images.shape)


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
