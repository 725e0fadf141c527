"""Fields whose channel of nuclei shows light that passed through cells, or is inverted: dark where nuclei shine."""

import numpy as np

from cellssl.cells.segmentation.smoothing import sample_step, shrunk, wide_gaussian

_WIDE = 0.1  # of a field's side: sigma of the background
# Skewness of what lies above and below it. 60 images of nuclei had 0.9 and more, drawn ones that cover two thirds
# of the field 0.2; the same images inverted -0.5 and less, brightfield, drawn, -0.5 to 0.1.
_DARK, _EVEN = -0.8, 0.1
# From dark to bright, of what is usual in the field: nuclei had 2.7 and more, the same images inverted at most 0.9.
_RANGE, _LITTLE = 1.0, 0.55
_OBJECTS = 10  # fewer do not tell grey texture from the noise of an empty field


def looks_transmitted(image: np.ndarray, found: int) -> bool:
    """Say whether what stands out of the ground is dark, or as dark as bright, and the ground not dark itself.

    Nuclei that shine are bright on dark, however they are exposed, until they cover most of a field.

    Parameters
    ----------
    image : ndarray
        (Y, X), any real type.
    found : int
        Objects that were found in it; without any it says nothing.
    """
    if not found:
        return False
    light = shrunk(image.astype(np.float32), sample_step(image))
    above = light - wide_gaussian(light, _WIDE * min(light.shape))
    above -= above.mean()
    spread = float(above.std())
    if not spread > 0:
        return False
    ranked = np.sort(light, axis=None)
    lowest, usual, highest = (ranked[int(share * len(ranked))] for share in (0.01, 0.5, 0.99))
    reach, skewness = highest - lowest, float((above * above * above).mean()) / spread**3
    dark = skewness < _DARK and reach < _RANGE * usual
    grey = skewness < _EVEN and reach < _LITTLE * usual and found >= _OBJECTS
    return bool(dark or grey)
