"""Brightness of a stain."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number


class StainGain(ChannelWise):
    """Multiply by exp(U(−amplitude, amplitude)): as often brighter as dimmer by the same factor."""

    amplitude: float = number(
        "largest natural logarithm of the factor", unit="ln(factor)", high=3.0
    )

    name = "stain_gain"
    invariance = "staining strength"
    neutral = {"gain": 1.0}
    nothing = {"amplitude": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the factors (N, C), or (N, 1) for one that all channels share."""
        logarithm = draws.amplitude(0, -self.amplitude, self.amplitude, count=self.count(draws))
        return {"gain": torch.exp(logarithm)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images * params["gain"][:, :, None, None]
