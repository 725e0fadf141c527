"""Noise of the detector."""

from dataclasses import dataclass

from torch import Tensor

from cellssl.augment.operation import Draws, Params, Pixel, register
from cellssl.augment.quantities import span


@register
@dataclass(frozen=True, kw_only=True)
class Noise(Pixel):
    """Add Gaussian noise of a standard deviation from U(sigma), to every pixel and channel."""

    sigma: tuple[float, float] = span("standard deviation", unit="of the scaled range", high=1.0)

    name = "noise"
    invariance = "detector noise"
    neutral = {"sigma": 0.0}  # noqa: RUF012
    needs_noise = True

    @property
    def idle(self) -> bool:
        """True where there is no noise."""
        return self.p == 0.0 or self.sigma == (0.0, 0.0)

    def sample(self, draws: Draws) -> Params:
        """Draw the deviation (N, 1) and the field (N, C, H, W) of unit deviation."""
        return {"sigma": draws.uniform(0, *self.sigma, count=1), "field": draws.noise(1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Add the field at its deviation."""
        return images + params["field"] * params["sigma"][:, :, None, None]
