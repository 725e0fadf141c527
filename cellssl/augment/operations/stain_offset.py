"""Background of a stain."""

from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number


class StainOffset(ChannelWise):
    """Add U(−amplitude, amplitude) to every pixel of a channel."""

    amplitude: float = number("largest offset either way", unit="of the scaled range", high=1.0)

    name = "stain_offset"
    invariance = "background level"
    neutral = {"offset": 0.0}
    nothing = {"amplitude": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw the offsets (N, C), or (N, 1) for one that all channels share."""
        return {
            "offset": draws.amplitude(0, -self.amplitude, self.amplitude, count=self.count(draws))
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images + params["offset"][:, :, None, None]
