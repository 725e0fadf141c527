"""Gaussian blur as the natural-image recipes name it."""

from cellssl.augment.operations.defocus import Defocus
from cellssl.augment.quantities import span


class Blur(Defocus):
    """Blur by a Gaussian of sigma from U(sigma), cut off at four sigmas.

    torchvision cuts off at a kernel size instead, at equal sigma.
    """

    sigma: tuple[float, float] = span("width of the Gaussian", (0.1, 2.0), unit="px", high=20.0)

    name = "blur"
    invariance = "fine texture"
