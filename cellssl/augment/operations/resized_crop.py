"""Random resized crop, the first operation of every natural-image recipe."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Geometry, Params
from cellssl.augment.quantities import span
from cellssl.augment.resampling import affine

# As torchvision: draw a box until it fits, ten times, then take the largest central one.
_TRIES = 10


class ResizedCrop(Geometry):
    """Cut a box of random area and aspect ratio out of the view and enlarge it to the view's size.

    Boxes are distributed as those of torchvision's ``RandomResizedCrop`` on a square image (area
    uniform, ratio log-uniform), but lie between pixels rather than on them. All ten tries are drawn
    at once and the first that fits is taken, so nothing waits for the device. A box
    is never larger than the view, so that there is nothing to antialias.
    """

    area: tuple[float, float] = span(
        "area of the box", (0.08, 1.0), unit="of the view's area", low=0.001, high=1.0
    )
    ratio: tuple[float, float] = span(
        "width / height of the box", (3 / 4, 4 / 3), low=0.1, high=10.0
    )

    name = "resized_crop"
    invariance = "size, place and what lies around"
    neutral = {"width": 1.0, "height": 1.0, "x": 0.0, "y": 0.0}
    nothing = {"area": (1.0, 1.0), "ratio": (1.0, 1.0)}
    ahead = 2 * _TRIES + 4

    def sample(self, draws: Draws) -> Params:
        """Draw the box: sides as shares of the view's, centre in pixels off it; all (N,)."""
        area = draws.amplitude(0, *self.area, count=_TRIES, neutral=1.0)
        low, high = math.log(self.ratio[0]), math.log(self.ratio[1])
        ratio = draws.uniform(_TRIES, low, high, count=_TRIES)  # its logarithm
        fits = area * ratio.abs().exp_() <= 1.0  # the square of the longer side
        first = fits.to(torch.int64).argmax(dim=1, keepdim=True)
        fitted = fits.any(dim=1)
        side, turn = area.gather(1, first)[:, 0].sqrt(), ratio.gather(1, first)[:, 0].mul(0.5).exp()
        width = torch.where(fitted, side * turn, min(1.0, self.ratio[1]))
        height = torch.where(fitted, side / turn, min(1.0, 1.0 / self.ratio[0]))
        place = draws.uniform(2 * _TRIES, -0.5, 0.5, count=2) * draws.size * fitted[:, None]
        return {
            "width": width,
            "height": height,
            "x": (1.0 - width) * place[:, 0],
            "y": (1.0 - height) * place[:, 1],
        }

    def matrix(self, params: Params) -> Tensor:
        """Step through the box in steps of its share."""
        zero = torch.zeros_like(params["width"])
        return affine(params["width"], zero, zero, params["height"], params["x"], params["y"])
