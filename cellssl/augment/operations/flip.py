"""Mirror images."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import number, switch
from cellssl.augment.resampling import affine


class Flip(Geometry):
    """Mirror left–right and top–bottom, each with chance `p`, independently."""

    p: float = number("chance of each mirroring", 0.5, high=1.0)
    horizontal: bool = switch("mirror left and right", True)
    vertical: bool = switch("mirror top and bottom", True)

    name = "flip"
    invariance = "handedness"
    nothing = {"horizontal": False, "vertical": False}
    exact = True

    def sample(self, draws: Draws) -> Params:
        """Draw the sign of either axis (N,): −1 mirrors."""
        signs = 1.0 - 2.0 * draws.chance(self.p, 0, count=2).to(torch.float32)
        still = torch.ones_like(signs[:, 0])
        return {
            "x": signs[:, 0] if self.horizontal else still,
            "y": signs[:, 1] if self.vertical else still,
        }

    def parameters(self, draws: Draws) -> Params:
        """Draw; the chance is already in the signs, one for each axis."""
        return self.sample(draws)

    def matrix(self, params: Params) -> Tensor:
        zero = torch.zeros_like(params["x"])
        return affine(params["x"], zero, zero, params["y"])

    def move(self, images: Tensor, params: Params) -> Tensor:
        x, y = (params[axis][:, None, None, None] < 0 for axis in "xy")
        images = torch.where(x, images.flip(-1), images)
        return torch.where(y, images.flip(-2), images)
