"""Coarse steps between grey values."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span

_FINE = float(1 << 22)  # steps that a float32 cannot tell from none


class BitDepth(Pixel):
    """Round to the 2^b grey values of a camera of b bits, b from the whole numbers of `bits`."""

    bits: tuple[int, int] = span("bits of a pixel", unit="bits", low=1, high=16, whole=True)

    name = "bit_depth"
    invariance = "fineness of grey values"
    neutral = {"steps": _FINE}

    def sample(self, draws: Draws) -> Params:
        """Draw the number of steps (N, 1): 2^b − 1."""
        low, high = self.bits
        if draws.strength is None:
            bits = low + draws.whole(0, high - low + 1, count=1)
        else:  # the fewer, the stronger
            bits = torch.full_like(draws.keys, round(high + draws.strength * (low - high)))[:, None]
        return {"steps": torch.exp2(bits.to(torch.float32)) - 1.0}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Round; what would be noise below half a step is gone."""
        steps = params["steps"][:, :, None, None]
        return torch.where(steps < _FINE, torch.round(images * steps) / steps, images)
