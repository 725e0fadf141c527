"""What lies outside of the picture in a stitched or turned image: black, and no background."""

import cv2
import numpy as np

from cellssl.cells.levels import li_threshold
from cellssl.cells.smoothing import depth_below

__all__ = ["without_outside"]

_FLAT = np.ones(
    (9, 9), np.uint8
)  # px: no camera gives so many times the same value, unless it is cut off
_LEAST = 0.005  # share of an image: a narrower brim does no harm
_APART = 4.0  # robust standard deviations of the background that nuclei lie away from it
_WIDE = 0.15  # of an image's side: the circle that fits into a picture, and into no nucleus


def without_outside(image: np.ndarray) -> np.ndarray:
    """Fill what is outside with grey values of the background, drawn at random; else give the image itself.

    Beside black a background looks bright, and becomes a body of its own in which nuclei are lost. Black
    is outside where it is flat and nothing else comes near it, as a background does from which a level
    was subtracted, and where what is left is wider than nuclei that were cut out.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32.
    """
    black = image == image.min()
    if black.mean() < _LEAST:
        return image
    bodies = cv2.connectedComponents(black.view(np.uint8), connectivity=4)[1]
    flat = np.unique(bodies[cv2.erode(black.view(np.uint8), _FLAT) > 0])
    black = np.isin(bodies, flat)
    inside = image[~black]
    if not len(flat) or not len(inside):
        return image
    lowest, low = np.quantile(inside, (0.01, 0.1))
    near = lowest - image.min() <= low - lowest
    if near or depth_below(~black).max() < _WIDE * min(image.shape):
        return image
    filled = image.copy()
    filled[black] = np.random.default_rng(0).choice(_ground(inside), np.count_nonzero(black))
    return filled


def _ground(values: np.ndarray) -> np.ndarray:
    """Give the values of the background: all where a threshold does but halve the noise."""
    cut, background = li_threshold(values)
    ground = values[values <= cut]
    spread = 1.4826 * np.median(np.abs(ground - background))
    return ground if cut - background > _APART * spread else values
