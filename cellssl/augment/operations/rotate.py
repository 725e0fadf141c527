"""Rotation about the view's centre."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number
from cellssl.augment.resampling import affine


class Rotate(Geometry):
    """Turn by an angle from U(−degrees, degrees), anticlockwise as the picture is looked at."""

    degrees: float = number("largest angle either way", unit="degrees", high=180.0)

    name = "rotate"
    invariance = "orientation"
    neutral = {"angle": 0.0}
    nothing = {"degrees": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the angle (N,) in radians."""
        largest = math.radians(self.degrees)
        return {"angle": draws.amplitude(0, -largest, largest)}

    def reach(self, half: float) -> float:
        """Corners swing out, furthest at 45 degrees."""
        angle = math.radians(min(self.degrees, 45.0))
        return half * (math.cos(angle) + math.sin(angle))

    def matrix(self, params: Params) -> Tensor:
        """Read backwards along the rotation; rows run downwards."""
        cos, sin = torch.cos(params["angle"]), torch.sin(params["angle"])
        return affine(cos, -sin, sin, cos)
