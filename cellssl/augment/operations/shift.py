"""Shift of the cell within the view."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number
from cellssl.augment.resampling import affine


class Shift(Geometry):
    """Move by U(−pixels, pixels) along either axis, independently."""

    pixels: float = number("largest shift either way, along each axis", unit="px", high=512.0)

    name = "shift"
    invariance = "exact centring"
    neutral = {"x": 0.0, "y": 0.0}
    nothing = {"pixels": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the shift in pixels (N,) of either axis."""
        x, y = draws.amplitude(0, -self.pixels, self.pixels, count=2).unbind(dim=1)
        return {"x": x, "y": y}

    def reach(self, half: float) -> float:
        return half + self.pixels

    def matrix(self, params: Params) -> Tensor:
        """Read from where the pixel came: opposite to the way the cell moves."""
        one = torch.ones_like(params["x"])
        zero = torch.zeros_like(one)
        return affine(one, zero, zero, one, -params["x"], -params["y"])
