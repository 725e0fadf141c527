"""Colour jitter, as torchvision defines its four parts."""

from torch import Tensor

from cellssl.augment.colour import blend, grey, turn_hue
from cellssl.augment.draws import Draws
from cellssl.augment.operation import Params, Pixel
from cellssl.augment.quantities import number


class ColorJitter(Pixel):
    """Change brightness, contrast, saturation and hue, in this order, each as torchvision.

    The factors come from U(max(0, 1 − x), 1 + x), the hue from U(−x, x) full circles. torchvision
    shuffles the order for every picture; here it is fixed, which keeps a batch one computation.

    On other than three channels *grey* is the plain mean of the channels, so that saturation blends
    each channel with that mean, and hue, which exists for RGB alone, is left out (`caveats` says
    so, hence ``protocols check`` too).
    """

    brightness: float = number("largest change of the factor", 0.0, high=10.0)
    contrast: float = number("largest change of the factor", 0.0, high=10.0)
    saturation: float = number("largest change of the factor", 0.0, high=10.0)
    hue: float = number("largest turn of the colour circle", 0.0, unit="full circles", high=0.5)

    name = "color_jitter"
    invariance = "brightness, contrast and channel ratios"
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    nothing = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}

    def sample(self, draws: Draws) -> Params:
        """Draw three factors and the turn of the hue, each (N, 1)."""
        params = {}
        for index, key in enumerate(("brightness", "contrast", "saturation")):
            largest = getattr(self, key)
            low, high = max(0.0, 1.0 - largest), 1.0 + largest
            params[key] = draws.amplitude(index, low, high, count=1, neutral=1.0)
        return {**params, "hue": draws.amplitude(3, -self.hue, self.hue, count=1)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Apply the four parts, clipping after each as torchvision does."""
        brightness, contrast, saturation = (
            params[key][:, :, None, None] for key in ("brightness", "contrast", "saturation")
        )
        if self.brightness:
            images = (images * brightness).clamp_(0.0, 1.0)
        if self.contrast:
            middle = grey(images.mean(dim=(2, 3), keepdim=True))
            images = blend(images, middle, contrast)
        if self.saturation and images.shape[1] > 1:
            images = blend(images, grey(images), saturation)
        if self.hue and images.shape[1] == 3:
            images = turn_hue(images, params["hue"])
        return images

    def caveats(self, channels: int) -> list[str]:
        """Say which parts mean something else, or nothing, on so many channels."""
        if channels == 3:
            return []
        found = []
        if self.hue:
            found.append(f"hue exists for 3 channels (RGB) only and is left out on {channels}")
        if self.saturation and channels == 1:
            found.append("saturation changes nothing on 1 channel")
        elif self.saturation:
            found.append(f"saturation blends with the plain mean of the {channels} channels")
        return found
