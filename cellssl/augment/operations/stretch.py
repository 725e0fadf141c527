"""Longer one way, shorter the other."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number
from cellssl.augment.resampling import affine


class Stretch(Geometry):
    """Lengthen by exp(U(0, amplitude)) along a random direction, and shorten across by the same.

    The area stays, the aspect ratio becomes exp(2 × amplitude) at most.
    """

    amplitude: float = number(
        "largest natural logarithm of the lengthening", unit="ln(factor)", high=1.5
    )

    name = "stretch"
    invariance = "elongation"
    neutral = {"logarithm": 0.0}
    nothing = {"amplitude": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the logarithm of the factor and the direction in radians, both (N,)."""
        return {
            "logarithm": draws.amplitude(0, 0.0, self.amplitude),
            "direction": draws.uniform(1, 0.0, math.pi),
        }

    def matrix(self, params: Params) -> Tensor:
        """Step shorter along the direction and longer across: R(d)·diag(1/s, s)·R(−d)."""
        middle = torch.cosh(params["logarithm"])
        swing = torch.sinh(params["logarithm"])
        cos, sin = torch.cos(2 * params["direction"]), torch.sin(2 * params["direction"])
        return affine(middle - swing * cos, -swing * sin, -swing * sin, middle + swing * cos)

    def reach(self, half: float) -> float:
        """Look furthest where the short way lies at 22.5 degrees to an edge."""
        return half * (math.cosh(self.amplitude) + math.sqrt(2.0) * math.sinh(self.amplitude))
