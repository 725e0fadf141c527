"""A detector that is full."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import span


class Saturation(ChannelWise):
    """Cut off what is brighter than a level from U(level), as an overexposed detector does.

    Not to be confused with the saturation of colours, which is a part of `color_jitter`.
    """

    level: tuple[float, float] = span(
        "brightest value that is kept", unit="of the scaled range", high=1.0
    )

    name = "saturation"
    invariance = "how bright the brightest structures are"
    neutral = {"level": float("inf")}

    def sample(self, draws: Draws) -> Params:
        """Draw the level (N, C), or (N, 1) for one that all channels share."""
        return {"level": draws.amplitude(0, *self.level, count=self.count(draws), neutral=1.0)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return torch.minimum(images, params["level"][:, :, None, None])
