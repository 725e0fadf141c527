"""Inversion of what is bright."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number


class Solarize(Pixel):
    """Turn x into 1 − x wherever x reaches the threshold, as torchvision does."""

    threshold: float = number("lowest value inverted", 0.5, unit="of the scaled range", high=1.0)

    name = "solarize"
    invariance = "the sign of bright structures"
    neutral = {"threshold": math.inf}

    def sample(self, draws: Draws) -> Params:
        """Draw nothing but the chance: the threshold (N, 1) is fixed."""
        return {
            "threshold": torch.full_like(draws.keys, self.threshold, dtype=torch.float32)[:, None]
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return torch.where(images >= params["threshold"][:, :, None, None], 1.0 - images, images)
