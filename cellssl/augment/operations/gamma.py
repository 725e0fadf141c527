"""Curve between light and number."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number

_DARK = 1e-6  # below it the logarithm is cut off; far under one step of an 8-bit camera


class Gamma(ChannelWise):
    """Raise to the power exp(U(−amplitude, amplitude)): midtones change, the ends stay."""

    amplitude: float = number(
        "largest natural logarithm of the exponent", unit="ln(exponent)", high=2.0
    )

    name = "gamma"
    invariance = "tone curve"
    neutral = {"exponent": 1.0}
    nothing = {"amplitude": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the exponents (N, C), or (N, 1) for one that all channels share."""
        logarithm = draws.amplitude(0, -self.amplitude, self.amplitude, count=self.count(draws))
        return {"exponent": torch.exp(logarithm)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Give x^k as x·exp((k − 1)·ln x): faster, every bit of x where k is 1, safe below 0."""
        power = params["exponent"][:, :, None, None] - 1.0
        return images * torch.exp(power * torch.log(images.clamp(min=_DARK)))
