"""Magnification at constant shape."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import span
from cellssl.augment.resampling import affine


class Zoom(Geometry):
    """Look at an area from U(area) of the view's: below 1 the cell appears larger."""

    area: tuple[float, float] = span(
        "area looked at", unit="of the view's area", low=0.01, high=16.0
    )

    name = "zoom"
    invariance = "size"
    neutral = {"scale": 1.0}
    nothing = {"area": (1.0, 1.0)}

    def sample(self, draws: Draws) -> Params:
        """Draw the scale (N,): the square root of the area."""
        return {"scale": torch.sqrt(draws.amplitude(0, *self.area, neutral=1.0))}

    def reach(self, half: float) -> float:
        return half * math.sqrt(max(1.0, self.area[1]))

    def matrix(self, params: Params) -> Tensor:
        """Step through the source in steps of the scale."""
        scale = params["scale"]
        zero = torch.zeros_like(scale)
        return affine(scale, zero, zero, scale)
