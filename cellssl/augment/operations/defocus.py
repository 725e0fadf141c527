"""Loss of focus."""

from torch import Tensor

from cellssl.augment.draws import Draws
from cellssl.augment.gaussian import gaussian_blur
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import span


class Defocus(Pixel):
    """Blur by a Gaussian of sigma from U(sigma); all channels share the focal plane."""

    sigma: tuple[float, float] = span("width of the Gaussian", unit="px", high=20.0)

    name = "defocus"
    invariance = "focus"
    neutral = {"sigma": 0.0}
    nothing = {"sigma": (0.0, 0.0)}

    def sample(self, draws: Draws) -> Params:
        """Draw sigma (N, 1) in pixels."""
        return {"sigma": draws.amplitude(0, *self.sigma, count=1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Blur; the picture is mirrored at its border."""
        return gaussian_blur(images, params["sigma"], largest=self.sigma[1])
