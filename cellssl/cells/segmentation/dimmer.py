"""Nuclei so much dimmer than others of their field that a threshold takes them for background."""

import cv2
import numpy as np

from cellssl.cells.segmentation.glare import part_rest
from cellssl.cells.segmentation.levels import deviation
from cellssl.cells.segmentation.smoothing import distance_to, gaussian, sample_step, shrunk
from cellssl.framing import diameter_of

_SMOOTH = 0.8  # px: sigma, against camera noise
_NEAR = 0.4  # diameters of a nucleus around it: there is its own light
_FEWEST = 3  # in a field: fewer are debris
_SIZES = (0.3, 3.0)  # of the usual area
_CLEAR = 10.0  # times the spread of what is around, and grey values
_RING = (0.1, 0.25)  # diameters that lie between an object and what must be dark around it
_DARK, _MOSTLY = 0.4, 0.9  # of the object's light at most; of the pixels there


def without_nuclei(image: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Put background in place of the nuclei (Y, X) that were found; None where no others seem to be left."""
    if not labels.any():
        return None
    near = _NEAR * _diameter(labels)
    factor = sample_step(image)
    some = shrunk((labels > 0).astype(np.float32), factor) > 0
    if not part_rest(shrunk(image, factor), factor * distance_to(some) > near)[0].any():
        return None
    away = distance_to(labels > 0) > near
    return np.where(away, image, np.float32(np.median(image[away])))


def keep_nuclei(image: np.ndarray, labels: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Keep of objects beside the nuclei that were found those that are nuclei, too.

    They are as large, clear of what is around, and dark all about: stained cytoplasm, and the halo of a
    bright nucleus, become brighter towards it.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32.
    labels, more : ndarray
        (Y, X) int32: the nuclei that were found, and the objects.

    Returns
    -------
    ndarray
        (Y, X) int32: 0 but for those that are kept, 1 … n; all of it where they are few.
    """
    smooth, usual = gaussian(image, _SMOOTH), _diameter(labels)
    background = smooth[(more == 0) & (distance_to(labels > 0) > _NEAR * usual)]
    level = float(np.median(background))
    spread = deviation(background, level)
    areas = np.bincount(more.ravel())
    own = np.bincount(more.ravel(), smooth.ravel() - level) / np.maximum(areas, 1)
    good = own > _CLEAR * max(spread, float((image == np.rint(image)).all()))
    share = areas / (np.pi / 4 * usual**2)
    good &= (share > _SIZES[0]) & (share < _SIZES[1])
    good &= _dark_around(smooth - level, own, more, _RING[0] * usual, _RING[1] * usual)
    good[0] = False
    if good.sum() < _FEWEST:
        return np.zeros_like(more)
    return np.where(good, np.cumsum(good), 0).astype(np.int32)[more]


def _dark_around(
    above: np.ndarray, own: np.ndarray, more: np.ndarray, first: float, last: float
) -> np.ndarray:
    """Mark the objects (n + 1,) around which most pixels are darker than a share of their own light."""
    distance, nearest = cv2.distanceTransformWithLabels(
        (more == 0).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    ring = (distance > first) & (distance <= last)
    number = np.zeros(nearest.max() + 1, np.int32)
    number[nearest[more > 0]] = more[more > 0]  # of the pixel of an object that each is nearest to
    around = number[nearest[ring]]
    count = np.bincount(around, minlength=len(own))
    dark = np.bincount(around, above[ring] < _DARK * own[around], minlength=len(own))
    return (dark > _MOSTLY * count) & (count > 0)


def _diameter(labels: np.ndarray) -> float:
    """Give the usual diameter of objects."""
    areas = np.bincount(labels.ravel())[1:]
    return diameter_of(float(np.median(areas[areas > 0])))
