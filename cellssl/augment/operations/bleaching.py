"""Dye destroyed by light."""

from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import span


class Bleaching(ChannelWise):
    """Lose a share from U(lost) of the light, each channel its own: a dye only ever gets dimmer."""

    lost: tuple[float, float] = span(
        "share of the light that is lost", unit="of the light", high=1.0
    )

    name = "bleaching"
    invariance = "loss of dye"
    neutral = {"kept": 1.0}
    nothing = {"lost": (0.0, 0.0)}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw the share that is kept, (N, C), or (N, 1) for one that all channels share."""
        return {"kept": 1.0 - draws.amplitude(0, *self.lost, count=self.count(draws))}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images * params["kept"][:, :, None, None]
