"""Brightness of a stain."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cellssl.augment.operation import Draws, Params, Pixel, register
from cellssl.augment.quantities import number, switch


@register
@dataclass(frozen=True, kw_only=True)
class StainGain(Pixel):
    """Multiply by exp(U(−amplitude, amplitude)): as often brighter as dimmer by the same factor."""

    amplitude: float = number(
        "largest natural logarithm of the factor", unit="ln(factor)", high=3.0
    )
    per_channel: bool = switch(
        "a factor for each channel; else one for all, which keeps their ratios", True
    )

    name = "stain_gain"
    invariance = "staining strength"
    neutral = {"gain": 1.0}  # noqa: RUF012

    @property
    def idle(self) -> bool:
        """True where every factor is 1."""
        return self.p == 0.0 or self.amplitude == 0.0

    def sample(self, draws: Draws) -> Params:
        """Draw the factors (N, C), or (N, 1) for one that all channels share."""
        count = draws.channels if self.per_channel else 1
        return {"gain": torch.exp(draws.uniform(0, -self.amplitude, self.amplitude, count=count))}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Multiply."""
        return images * params["gain"][:, :, None, None]
