"""Curve between light and number."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cellssl.augment.operation import Draws, Params, Pixel, register
from cellssl.augment.quantities import number, switch

_DARK = 1e-6  # below it the logarithm is cut off; far under one step of an 8-bit camera


@register
@dataclass(frozen=True, kw_only=True)
class Gamma(Pixel):
    """Raise to the power exp(U(−amplitude, amplitude)): midtones change, the ends stay."""

    amplitude: float = number(
        "largest natural logarithm of the exponent", unit="ln(exponent)", high=2.0
    )
    per_channel: bool = switch("an exponent for each channel; else one for all", True)

    name = "gamma"
    invariance = "tone curve"
    neutral = {"exponent": 1.0}  # noqa: RUF012

    @property
    def idle(self) -> bool:
        """True where every exponent is 1."""
        return self.p == 0.0 or self.amplitude == 0.0

    def sample(self, draws: Draws) -> Params:
        """Draw the exponents (N, C), or (N, 1) for one that all channels share."""
        count = draws.channels if self.per_channel else 1
        logarithm = draws.uniform(0, -self.amplitude, self.amplitude, count=count)
        return {"exponent": torch.exp(logarithm)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Give x^k as x·exp((k − 1)·ln x): faster, every bit of x where k is 1, safe below 0."""
        power = params["exponent"][:, :, None, None] - 1.0
        return images * torch.exp(power * torch.log(images.clamp(min=_DARK)))
