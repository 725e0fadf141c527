"""A part of the picture is missing."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number, span


class Erase(Pixel):
    """Fill a box of an area from U(area) and a random aspect ratio with one value, in all channels.

    Random erasing (Zhong et al. 2017, arXiv 1708.04896): area uniform, ratio log-uniform as in
    torchvision; the box lies wholly in the view. Dust and debris hide parts of cells like this.
    """

    area: tuple[float, float] = span("area of the box", unit="of the view's area", high=0.9)
    ratio: tuple[float, float] = span("width / height of the box", (0.3, 3.3), low=0.1, high=10.0)
    value: float = number("what fills the box", 0.0, unit="of the scaled range", high=1.0)

    name = "erase"
    invariance = "parts of the cell"
    neutral = {"width": 0.0, "height": 0.0}
    nothing = {"area": (0.0, 0.0)}

    def sample(self, draws: Draws) -> Params:
        """Draw the box: sides and centre as shares of the view's, all (N, 1)."""
        area = draws.amplitude(0, *self.area, count=1)
        low, high = (math.log(end) for end in self.ratio)
        ratio = torch.exp(draws.uniform(1, low, high, count=1))
        ratio = torch.minimum(torch.maximum(ratio, area), 1.0 / area.clamp(min=1e-6))  # it must fit
        width, height = torch.sqrt(area * ratio), torch.sqrt(area / ratio)
        place = draws.uniform(2, -0.5, 0.5, count=2)
        return {
            "width": width,
            "height": height,
            "x": (1.0 - width) * place[:, :1],
            "y": (1.0 - height) * place[:, 1:],
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Fill the pixels whose middle lies in the box."""
        x, y = (_place(length, images) for length in (images.shape[-1], images.shape[-2]))
        along = (x - params["x"]).abs() < params["width"] / 2  # (N, W)
        down = (y - params["y"]).abs() < params["height"] / 2
        box = down[:, None, :, None] & along[:, None, None, :]
        return torch.where(box, self.value, images)


def _place(length: int, like: Tensor) -> Tensor:
    """Give the middles of pixels (length,) as shares of the side, from the centre."""
    pixel = torch.arange(length, device=like.device, dtype=like.dtype)
    return (pixel + 0.5) / length - 0.5
