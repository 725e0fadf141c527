"""Difference between structures and what lies around them."""

import torch
from torch import Tensor

from cellssl.augment.operation import Params
from cellssl.augment.operations.stain_gain import StainGain


class Contrast(StainGain):
    """Multiply the distance from the channel's mean by exp(U(−amplitude, amplitude)).

    The mean brightness stays, which sets it apart from `stain_gain`.
    """

    name = "contrast"
    invariance = "contrast of structures"

    def apply(self, images: Tensor, params: Params) -> Tensor:
        middle = images.mean(dim=(2, 3), keepdim=True)
        return torch.addcmul(middle, images - middle, params["gain"][:, :, None, None])
