"""Noise of the camera's electronics."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span


class ReadNoise(Pixel):
    """Add Gaussian noise of a standard deviation from U(sigma), to every pixel and channel.

    It is the same in dark and in bright parts; noise of the light itself is `shot_noise`.
    """

    sigma: tuple[float, float] = span("standard deviation", unit="of the scaled range", high=1.0)

    name = "read_noise"
    invariance = "detector noise"
    neutral = {"sigma": 0.0}
    nothing = {"sigma": (0.0, 0.0)}
    noise_fields = ("field",)

    def sample(self, draws: Draws) -> Params:
        """Draw the deviation (N, 1) and the field (N, C, H, W) of unit deviation."""
        return {"sigma": draws.amplitude(0, *self.sigma, count=1), "field": draws.noise(1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return torch.addcmul(images, params["field"], params["sigma"][:, :, None, None])
