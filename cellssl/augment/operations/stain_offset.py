"""Background of a stain."""

from dataclasses import dataclass

from torch import Tensor

from cellssl.augment.operation import Draws, Params, Pixel, register
from cellssl.augment.quantities import number, switch


@register
@dataclass(frozen=True, kw_only=True)
class StainOffset(Pixel):
    """Add U(−amplitude, amplitude) to every pixel of a channel."""

    amplitude: float = number("largest offset either way", unit="of the scaled range", high=1.0)
    per_channel: bool = switch("an offset for each channel; else one for all", True)

    name = "stain_offset"
    invariance = "background level"
    neutral = {"offset": 0.0}  # noqa: RUF012

    @property
    def idle(self) -> bool:
        """True where every offset is 0."""
        return self.p == 0.0 or self.amplitude == 0.0

    def sample(self, draws: Draws) -> Params:
        """Draw the offsets (N, C), or (N, 1) for one that all channels share."""
        count = draws.channels if self.per_channel else 1
        return {"offset": draws.uniform(0, -self.amplitude, self.amplitude, count=count)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Add."""
        return images + params["offset"][:, :, None, None]
