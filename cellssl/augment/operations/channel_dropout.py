"""A stain that failed."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number


class ChannelDropout(Pixel):
    """Fill one channel (of `channels`), chosen at random, with one value.

    Of the channels that are named one is always filled; without names the only channel never is.
    """

    value: float = number("what fills the channel", 0.0, unit="of the scaled range", high=1.0)

    name = "channel_dropout"
    invariance = "any single stain"
    neutral = {"dropped": -1.0}

    def sample(self, draws: Draws) -> Params:
        """Draw which channel (N, 1)."""
        return {"dropped": draws.whole(0, draws.channels, count=1).to(torch.float32)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if images.shape[1] == 1 and self.channels is None:
            return images
        channel = torch.arange(images.shape[1], device=images.device)
        gone = (params["dropped"] == channel)[:, :, None, None]
        return torch.where(gone, self.value, images)

    def caveats(self, channels: int) -> list[str]:
        """Say where there is nothing to spare."""
        if channels > 1:
            return []
        if self.channels is not None:
            return [f"channel_dropout always blanks {self.channels[0]}"]
        return ["channel_dropout is left out on 1 channel"]
