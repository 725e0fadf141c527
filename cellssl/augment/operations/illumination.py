"""Uneven light across the picture."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number, switch


class Illumination(ChannelWise):
    """Light that falls off to one side (`slope`) or towards the corners (`falloff`, a vignette).

    Light is multiplied by (1 + slope·u)·(1 − falloff·r²), where u runs from −1 to 1 across the view
    in a random direction and r² from 0 in the middle to 1 in the corners. A single cell sees mostly
    the slope of the field's vignette; whole fields see the vignette.
    """

    slope: float = number(
        "largest change from the middle to the edge", 0.0, unit="of the light", high=1.0
    )
    falloff: float = number("largest loss in the corners", 0.0, unit="of the light", high=1.0)
    per_channel: bool = switch("an illumination for each channel; else one for all", False)

    name = "illumination"
    invariance = "evenness of the light"
    neutral = {"slope": 0.0, "falloff": 0.0}
    nothing = {"slope": 0.0, "falloff": 0.0}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw slope, its direction in radians and the fall-off, each (N, C) or (N, 1)."""
        count = self.count(draws)
        return {
            "slope": draws.amplitude(0, 0.0, self.slope, count=count),
            "direction": draws.uniform(count, -math.pi, math.pi, count=count),
            "falloff": draws.amplitude(2 * count, 0.0, self.falloff, count=count),
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        size = images.shape[-1]
        place = torch.arange(size, device=images.device, dtype=images.dtype)
        place = (place - (size - 1) / 2) * (2 / size)  # −1 … 1
        slope, direction, falloff = (
            params[key][:, :, None, None] for key in ("slope", "direction", "falloff")
        )
        down, along = place[:, None], place
        tilt = slope * (torch.cos(direction) * along + torch.sin(direction) * down)
        light = (1.0 + tilt) * (1.0 - falloff * (down**2 + along**2) / 2)
        return images * light.clamp(min=0.0)
