"""A cell without its neighbours."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Masking, Params, register
from cellssl.augment.quantities import choice, number
from cellssl.augment.stencils import OTHERS, SELF, cover, grown


@register
@dataclass(frozen=True, kw_only=True)
class MaskNeighbours(Masking):
    """Hide other cells; the cell itself and the background stay.

    The neighbours' outlines are grown by `grow` pixels, to take their blurred rim and (with nuclear
    masks) some of their cytoplasm along, but never over the cell's own mask.
    """

    grow: int = number("rim that is hidden around others", 0, unit="px", high=128, whole=True)
    fill: str = choice("what is put there", ("background", "black"), "background")

    name = "mask_neighbours"
    invariance = "neighbouring cells"
    neutral = {"hidden": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw nothing but the chance: the share that is hidden (N,) is 1."""
        return {"hidden": torch.ones_like(draws.keys, dtype=torch.float32)}

    def apply(self, images: Tensor, mask: Tensor, params: Params) -> Tensor:
        """Fill the others."""
        hidden = grown(mask == OTHERS, self.grow) & (mask != SELF)
        return cover(images, mask, hidden, params["hidden"], self.fill)
