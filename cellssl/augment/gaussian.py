"""Gaussian blur, every sample by its own sigma."""

import torch
from torch import Tensor
from torch.nn import functional

from cellssl.augment.separable import map_separably

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
    down = _bands(weights, height)
    along = down if height == width else _bands(weights, width)
    return map_separably(images, down, along, reach=reach)


def _kernel(sigma: Tensor, reach: int) -> Tensor:
    """Give the kernel's right half (…, reach + 1), normalised over both halves."""
    distance = torch.arange(reach + 1, device=sigma.device, dtype=sigma.dtype)
    spread = sigma[..., None]
    weights = (distance / spread.clamp(min=1e-3)).square_().mul_(-0.5).exp_()
    weights = weights.mul_(distance <= torch.floor(TRUNCATE * spread + 0.5))
    return weights.div_(weights.sum(dim=-1, keepdim=True).mul_(2.0).sub_(1.0))  # the middle is 1


def _bands(weights: Tensor, length: int) -> Tensor:
    """Spread kernels (…, reach + 1) over matrices (…, length, length) that mirror at the ends.

    Between the mirrors the line of pixels is endless and has a period of 2 (length - 1): the pixel
    j is met at i - j, and its image at i + j. Both are windows on one line of weights, which is
    made of half a period of weights; the pixels at the ends are their own images.
    """
    half = _fold(weights, length)
    line = torch.cat([half[..., 1:].flip(-1), half, half[..., :-1].flip(-1)], dim=-1)
    windows = line.unfold(-1, length, 1)
    bands = windows[..., :length, :].flip(-2)
    bands[..., 1:-1] += windows[..., length - 1 :, 1:-1]
    return bands


def _fold(weights: Tensor, length: int) -> Tensor:
    """Give the weights (…, length) of half a period: those that reach further come back."""
    reach = weights.shape[-1] - 1
    if reach < length - 1:
        return functional.pad(weights, (0, length - 1 - reach))
    distance = torch.arange(reach + 1, device=weights.device)
    period = max(2 * (length - 1), 1)
    folded = torch.minimum(distance % period, -distance % period) % length
    place = torch.arange(length, device=weights.device)
    # An end of the half period is met from both sides, distance 0 from none.
    sides = 1 + ((folded % max(length - 1, 1) == 0) & (distance > 0)).to(weights.dtype)
    return (weights * sides) @ (folded[:, None] == place).to(weights.dtype)
