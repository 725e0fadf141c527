"""Larger pixels."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span
from cellssl.augment.separable import map_separably


class ResolutionLoss(Pixel):
    """Average over pixels a factor from U(factor) larger, then interpolate back to the view's size.

    Down-up sampling as of another objective, camera binning or compression: the factor need not be
    whole.
    """

    factor: tuple[float, float] = span("side of the larger pixel", unit="px", low=1.0, high=16.0)

    name = "resolution_loss"
    invariance = "pixel size"
    neutral = {"factor": 1.0}
    nothing = {"factor": (1.0, 1.0)}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw the factor (N, 1)."""
        return {"factor": draws.amplitude(0, *self.factor, count=1, neutral=1.0)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        height, width = images.shape[-2:]
        down = _down_up(params["factor"], height)
        along = down if height == width else _down_up(params["factor"], width)
        return map_separably(images, down, along)


def _down_up(factor: Tensor, length: int) -> Tensor:
    """Give (N, 1, length, length): averages over large pixels, read between their middles."""
    factor = factor[:, :, None]  # (N, 1, 1)
    pixel = torch.arange(length, device=factor.device, dtype=factor.dtype)
    large = pixel[:, None]  # as many large pixels as small ones; those beyond the end are empty
    low, high = large * factor, (large + 1.0) * factor
    covered = (torch.minimum(high, pixel + 1.0) - torch.maximum(low, pixel)).clamp(min=0.0)
    share = covered.sum(dim=-1, keepdim=True)  # (N, large, 1)
    average = covered / share.clamp(min=1e-6)
    last = torch.ceil(length / factor - 1e-4) - 1.0
    place = ((pixel[:, None] + 0.5) / factor - 0.5).clamp(min=0.0)
    place = torch.minimum(place, last)
    between = (1.0 - (place - pixel).abs()).clamp(min=0.0)  # (N, length, large)
    return (between @ average)[:, None]
