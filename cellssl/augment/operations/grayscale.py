"""Loss of colour."""

import torch
from torch import Tensor

from cellssl.augment.colour import grey
from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel


class Grayscale(Pixel):
    """Put the grey picture into every channel.

    Grey is torchvision's luma for three channels, their mean for any other number.
    """

    name = "grayscale"
    invariance = "what tells channels apart"
    neutral = {"grey": 0.0}
    mixes = True

    def sample(self, draws: Draws) -> Params:
        """Draw nothing but the chance: the share of grey (N, 1) is 1."""
        return {"grey": torch.ones_like(draws.keys, dtype=torch.float32)[:, None]}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        share = params["grey"][:, :, None, None]  # 0 or 1: both keep every bit of what they choose
        return torch.lerp(images, grey(images), share)

    def caveats(self, channels: int) -> list[str]:
        if channels not in (1, 3):
            return [f"grayscale is the plain mean of the {channels} channels (luma needs RGB)"]
        return super().caveats(channels)
