"""Pixels of the camera that are always bright."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number, span


class HotPixels(Pixel):
    """Set a share from U(share) of the pixels to `level`, at random places in every channel."""

    share: tuple[float, float] = span("share of hot pixels", unit="of all pixels", high=0.5)
    level: float = number("their value", 1.0, unit="of the scaled range", high=1.0)

    name = "hot_pixels"
    invariance = "defects of the camera"
    neutral = {"threshold": math.inf}
    nothing = {"share": (0.0, 0.0)}
    noise_fields = ("field",)

    def sample(self, draws: Draws) -> Params:
        """Draw the threshold (N, 1) that so many pixels of a normal field (N, C, H, W) exceed."""
        share = draws.amplitude(0, *self.share, count=1)
        return {"threshold": -torch.special.ndtri(share), "field": draws.noise(1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        hot = params["field"] > params["threshold"][:, :, None, None]
        return torch.where(hot, self.level, images)
