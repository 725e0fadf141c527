"""Channels that do not lie exactly over each other."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number
from cellssl.augment.separable import map_separably


class Misregistration(Pixel):
    """Shift every channel by U(−pixels, pixels) along either axis, each by its own.

    Filters, cameras and chromatic aberration move channels against each other by up to a few
    pixels. Interpolation is linear; the edge's pixels are repeated. Name `channels` to leave one in
    place.
    """

    pixels: float = number("largest shift either way, along each axis", unit="px", high=32.0)

    name = "misregistration"
    invariance = "alignment of channels"
    neutral = {"x": 0.0, "y": 0.0}
    nothing = {"pixels": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the shifts right and down in pixels, both (N, C)."""
        count = draws.channels
        drawn = draws.uniform(0, -1.0, 1.0, count=2 * count)
        largest = self.pixels if draws.strength is None else self.pixels * draws.strength
        x, y = (drawn * largest).chunk(2, dim=1)
        return {"x": x, "y": y}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Read every row and column from where it came."""
        height, width = images.shape[-2:]
        return map_separably(images, _moved(params["y"], height), _moved(params["x"], width))

    def caveats(self, channels: int) -> list[str]:
        """Say where there is nothing to be misaligned with."""
        alone = channels == 1 and self.channels is None
        return ["misregistration of 1 channel is a shift"] if alone else []


def _moved(shift: Tensor, length: int) -> Tensor:
    """Give (N, C, length, length) that reads each pixel from `shift` (N, C) pixels before it."""
    pixel = torch.arange(length, device=shift.device, dtype=shift.dtype)
    source = (pixel - shift[:, :, None]).clamp(0.0, length - 1.0)
    return (1.0 - (source[..., None] - pixel).abs()).clamp(min=0.0)
