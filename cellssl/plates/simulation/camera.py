"""From ideal stains to what a camera writes: focus, illumination, background, gain and noise."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_OFFSET = 420.0  # grey values that the camera adds to everything
_READ_NOISE = 14.0  # grey values
_BRIGHTNESS = np.array([2400.0, 2100.0, 3000.0])  # of DNA, tubulin, actin at level 1
_GREY_PER_ELECTRON = 5.0
_GLARE = 0.10  # light that the optics scatter far


@dataclass(frozen=True)
class Camera:
    """One plate's imaging session: what makes its images differ from another plate's.

    Attributes
    ----------
    gains
        (3,) staining and exposure of each channel, around 1.
    background
        (3,) light without cells, in grey values.
    focus
        (3,) sigma of the blur, in pixels.
    vignette
        Light lost in the corners (0.15 is 15 %).
    centre
        Where the light is brightest, y and x, as shares of the image around 0.
    """

    gains: np.ndarray
    background: np.ndarray
    focus: np.ndarray
    vignette: float
    centre: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Camera":
        """Draw a plate's session."""
        return cls(
            gains=np.exp(rng.normal(0, 0.22, 3)),
            background=rng.uniform(140, 420, 3),
            focus=rng.uniform(0.75, 1.15, 3),
            vignette=rng.uniform(0.12, 0.32),
            centre=rng.uniform(-0.15, 0.15, 2),
        )

    def expose(self, stains: np.ndarray, margin: int, rng: np.random.Generator) -> np.ndarray:
        """Take a picture of one field.

        Parameters
        ----------
        stains
            (3, Y + 2 margin, X + 2 margin) ideal DNA, tubulin and actin.
        margin
            Pixels around the field that the camera does not see, but that scatter light into it.
        rng
            Draws what differs from field to field: staining, focus, noise.

        Returns
        -------
        np.ndarray
            (3, Y, X) uint16.
        """
        staining = np.exp(rng.normal(0, 0.07, 3))
        focus = self.focus * np.exp(abs(rng.normal(0, 0.12)))
        seen = np.s_[margin : stains.shape[1] - margin, margin : stains.shape[2] - margin]
        planes = []
        for channel, stain in enumerate(stains):
            sharp = ndimage.gaussian_filter(stain, focus[channel], truncate=3)[seen]
            glare = ndimage.uniform_filter(stain, 2 * (margin // 2) + 1)[seen]
            light = (1 - _GLARE) * sharp + _GLARE * glare
            signal = light * _BRIGHTNESS[channel] * self.gains[channel] * staining[channel]
            planes.append(signal + self.background[channel])
        grey = np.stack(planes) * self._illumination(planes[0].shape)
        # Photons are counted: with 25 and more of them a normal distribution will do for Poisson's.
        variance = _GREY_PER_ELECTRON * grey + _READ_NOISE**2
        noise = rng.standard_normal(grey.shape, dtype=np.float32)
        image = _OFFSET + grey + np.sqrt(variance) * noise
        return np.clip(np.round(image), 0, 65535).astype(np.uint16)

    def _illumination(self, shape: tuple[int, int]) -> np.ndarray:
        """Share of the light at each pixel, 1 where it is brightest."""
        y = np.linspace(-0.5, 0.5, shape[0])[:, None] - self.centre[0]
        x = np.linspace(-0.5, 0.5, shape[1])[None] - self.centre[1]
        return 1 - self.vignette * 2 * (y**2 + x**2)
