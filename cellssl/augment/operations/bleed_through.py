"""Light of one dye in the channel of another."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import channel_name, span


class BleedThrough(Pixel):
    """Add a share from U(amount) of one channel's light to another's.

    With `source` and `target` from the one into the other; without them, every channel (of
    `channels`) into every other, each pair by its own share. Light becomes M × light with M = 1 +
    the shares, as in spectral unmixing.
    """

    amount: tuple[float, float] = span("share of the source's light", unit="of the light", high=1.0)
    source: str | None = channel_name("the channel whose light leaks")
    target: str | None = channel_name("the channel into which it leaks")

    name = "bleed_through"
    invariance = "spectral overlap of dyes"
    neutral = {"shares": 0.0}
    nothing = {"amount": (0.0, 0.0)}
    in_light = True
    mixes = True

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Refuse half a pair, a channel into itself, and pairs beside `channels`."""
        source, target = values["source"], values["target"]
        if source is None and target is None:
            return []
        if source is None or target is None:
            lacking = "source" if source is None else "target"
            return [("source" if target is None else "target", f"needs {lacking} beside it")]
        if source == target:
            return [("target", f"expected another channel than the source, got {target!r} twice")]
        if values["channels"] is not None:
            return [("channels", "expected source and target, or channels; got both")]
        return []

    def chosen(self) -> tuple[str, ...] | None:
        """Take the pair, or `channels`."""
        if self.source is None or self.target is None:
            return self.channels
        return self.source, self.target

    def sample(self, draws: Draws) -> Params:
        """Draw the shares (N, C, C): row target, column source, zero on the diagonal."""
        count = draws.channels
        shares = draws.amplitude(0, *self.amount, count=count * count).reshape(-1, count, count)
        place = torch.arange(count, device=shares.device)
        leaks = place[:, None] != place
        if self.source is not None:
            leaks = place[:, None] > place  # from the first into the second only
        return {"shares": shares * leaks}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        mixed = params["shares"] @ images.flatten(2)
        return images + mixed.reshape(images.shape)
