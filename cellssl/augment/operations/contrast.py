"""Difference between structures and what lies around them."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number


class Contrast(ChannelWise):
    """Multiply the distance from the channel's mean by exp(U(−amplitude, amplitude)).

    The mean brightness stays, which sets it apart from `stain_gain`.
    """

    amplitude: float = number(
        "largest natural logarithm of the factor", unit="ln(factor)", high=3.0
    )

    name = "contrast"
    invariance = "contrast of structures"
    neutral = {"factor": 1.0}
    nothing = {"amplitude": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the factors (N, C), or (N, 1) for one that all channels share."""
        logarithm = draws.amplitude(0, -self.amplitude, self.amplitude, count=self.count(draws))
        return {"factor": torch.exp(logarithm)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Spread or draw together around the mean."""
        middle = images.mean(dim=(2, 3), keepdim=True)
        return torch.addcmul(middle, images - middle, params["factor"][:, :, None, None])
