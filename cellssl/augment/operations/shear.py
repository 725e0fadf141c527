"""Rows slide over each other."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number
from cellssl.augment.resampling import affine


class Shear(Geometry):
    """Lean upright lines by an angle from U(−degrees, degrees), as torchvision's affine shear.

    The direction is the picture's; with a rotation before it, it is any.
    """

    degrees: float = number("largest angle either way", unit="degrees", high=60.0)

    name = "shear"
    invariance = "leaning of the outline"
    neutral = {"slope": 0.0}
    nothing = {"degrees": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the slope (N,): the tangent of the angle."""
        largest = math.radians(self.degrees)
        return {"slope": torch.tan(draws.amplitude(0, -largest, largest))}

    def matrix(self, params: Params) -> Tensor:
        """Read each row from where it slid."""
        one = torch.ones_like(params["slope"])
        zero = torch.zeros_like(one)
        return affine(one, params["slope"], zero, one)

    def reach(self, half: float) -> float:
        """Slide furthest at the upper and lower edge."""
        return half * (1.0 + math.tan(math.radians(self.degrees)))
