"""Diffraction by a circular aperture."""

import math

import torch
from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span
from cellssl.augment.separable import filter_frequencies, frequencies

_FIRST_RING = 1.21967  # first zero of the Airy pattern, in wavelengths × focal ratio


class AiryBlur(Pixel):
    """Blur by an Airy disc whose first dark ring has a radius from U(radius): a lower aperture.

    The radius is 0.61 × wavelength / numerical aperture; in pixels, divide by the pixel's size in
    the specimen. Computed as the product with the optical transfer function of a circular aperture
    (Goodman, *Introduction to Fourier Optics*, chapter 6), exact at every radius; the picture is
    mirrored at its border.
    """

    radius: tuple[float, float] = span("radius of the first dark ring", unit="px", high=32.0)

    name = "airy_blur"
    invariance = "resolution of the objective"
    neutral = {"radius": 0.0}
    nothing = {"radius": (0.0, 0.0)}
    in_light = True

    def sample(self, draws: Draws) -> Params:
        """Draw the radius (N, 1) in pixels."""
        return {"radius": draws.amplitude(0, *self.radius, count=1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Weigh frequencies up to the cut-off 1.22 / radius."""
        cycles = frequencies(images)
        share = (cycles * (params["radius"][:, :, None, None] / _FIRST_RING)).clamp(max=1.0)
        transfer = (torch.acos(share) - share * torch.sqrt(1.0 - share**2)) * (2.0 / math.pi)
        return filter_frequencies(images, transfer)
