"""What lies outside of the picture in a stitched or turned image: black, and no background."""

import cv2
import numpy as np

from cellssl.cells.segmentation.levels import deviation, li_threshold
from cellssl.cells.segmentation.smoothing import depth_below

# px: no camera gives one value so many times side by side, unless it is cut off.
_FLAT = np.ones((9, 9), np.uint8)
_LEAST = 0.005  # share of an image: a narrower brim does no harm
_APART = 4.0  # robust standard deviations of the background that nuclei lie away from it
_WIDE = 0.2  # of an image's side: the circle that fits into a picture, and into no nucleus


def find_outside(image: np.ndarray) -> np.ndarray:
    """Mark what is outside: black that is flat and as nothing else in the image.

    A background from which a level was subtracted comes near to black, as one of few grey values does, and
    nuclei that were cut out are narrower than a picture.

    Parameters
    ----------
    image : ndarray
        (Y, X) of any real type.

    Returns
    -------
    ndarray
        (Y, X) bool.
    """
    black = image == image.min()
    nothing = np.zeros_like(black)
    if black.mean() < _LEAST:
        return nothing
    bodies = cv2.connectedComponents(black.view(np.uint8), connectivity=4)[1]
    flat = np.unique(bodies[cv2.erode(black.view(np.uint8), _FLAT) > 0])
    black = np.isin(bodies, flat)
    inside = image[~black]
    if not len(flat) or not len(inside):
        return nothing
    lowest, low = np.quantile(inside, (0.01, 0.1))
    step = float((inside == np.rint(inside)).all())  # from one grey value to the next
    near = lowest - image.min() <= max(low - lowest, step)
    return nothing if near or depth_below(~black).max() < _WIDE * min(image.shape) else black


def without_outside(image: np.ndarray) -> np.ndarray:
    """Fill what is outside with grey values of the background, drawn at random.

    Beside black a background looks bright, and becomes a body of its own in which nuclei are lost.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32; itself where nothing is outside.
    """
    outside = find_outside(image)
    if not outside.any():
        return image
    filled, ground = image.copy(), _ground(image[~outside])
    filled[outside] = np.random.default_rng(0).choice(ground, np.count_nonzero(outside))
    return filled


def _ground(values: np.ndarray) -> np.ndarray:
    """Give the values of the background: all where a threshold does but halve the noise."""
    cut, background = li_threshold(values)
    ground = values[values <= cut]
    return ground if cut - background > _APART * deviation(ground, background) else values
