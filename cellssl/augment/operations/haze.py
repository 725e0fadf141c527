"""Light from above and below the focal plane."""

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.gaussian import gaussian_blur
from cellssl.augment.operation import ChannelWise, Params
from cellssl.augment.quantities import number, span


class Haze(ChannelWise):
    """Add a share from U(amount) of the channel's own light, spread by a wide Gaussian.

    In a wide-field microscope the light of thick or neighbouring cells lies over the sharp picture.
    """

    amount: tuple[float, float] = span(
        "share of the channel's light that is added", unit="of the light", high=2.0
    )
    sigma: float = number("spread of the haze", 8.0, unit="px", low=1.0, high=64.0)

    name = "haze"
    invariance = "out-of-focus light"
    neutral = {"amount": 0.0}
    nothing = {"amount": (0.0, 0.0)}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw the share (N, C), or (N, 1) for one that all channels share."""
        return {"amount": draws.amplitude(0, *self.amount, count=self.count(draws))}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        sigma = torch.full_like(params["amount"][:, :1], self.sigma)
        spread = gaussian_blur(images, sigma, largest=self.sigma)
        return torch.addcmul(images, spread, params["amount"][:, :, None, None])
