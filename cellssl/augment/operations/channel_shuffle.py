"""Channels without names."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel


class ChannelShuffle(Pixel):
    """Put the channels (of `channels`) into a random order, each order as likely."""

    name = "channel_shuffle"
    invariance = "which stain is which"
    mixes = True

    def sample(self, draws: Draws) -> Params:
        """Draw from which channel each takes its picture: (N, C) int64."""
        drawn = draws.uniform(0, 0.0, 1.0, count=draws.channels)
        return {"order": drawn.argsort(dim=1)}

    def _settle(self, params: Params, touched: Tensor) -> Params:
        """Keep the order of untouched samples."""
        order = params["order"]
        kept = torch.arange(order.shape[1], device=order.device)
        return {"order": torch.where(touched[:, None], order, kept)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        order = params["order"][:, :, None, None].expand(-1, -1, *images.shape[2:])
        return images.gather(1, order)
