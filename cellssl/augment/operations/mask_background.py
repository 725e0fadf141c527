"""Nothing but the cell."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Masking, Params, register
from cellssl.augment.quantities import choice, number
from cellssl.augment.stencils import SELF, cover, grown


@register
@dataclass(frozen=True, kw_only=True)
class MaskBackground(Masking):
    """Hide everything but the cell itself, neighbours and background alike.

    The cell's outline is grown by `grow` pixels first; with nuclear masks alone this decides how
    much cytoplasm stays.
    """

    grow: int = number("rim that is kept around the mask", 0, unit="px", high=128, whole=True)
    fill: str = choice("what is put there", ("background", "black"), "background")

    name = "mask_background"
    invariance = "everything around the cell"
    neutral = {"hidden": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw nothing but the chance: the share that is hidden (N,) is 1."""
        return {"hidden": torch.ones_like(draws.keys, dtype=torch.float32)}

    def apply(self, images: Tensor, mask: Tensor, params: Params) -> Tensor:
        """Fill all that is not the cell."""
        hidden = ~grown(mask == SELF, self.grow)
        return cover(images, mask, hidden, params["hidden"], self.fill)
