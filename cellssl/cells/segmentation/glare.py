"""Debris so bright that the nuclei beside it are taken for background."""

import cv2
import numpy as np

from cellssl.cells.segmentation.levels import deviation, li_threshold
from cellssl.cells.segmentation.smoothing import repeated, sample_step, shrunk

_FEW, _LITTLE = 8, 0.2  # pieces of debris, and the share of a field that they cover, at most
_HALO = 15  # pixels of the sample: what is nearer than half of it to debris is lit by it
# Times as many nuclei as pieces of debris. With fewer asked for, nuclei beside dim specks would pass for
# debris: which of two kinds is which, a sparse field alone does not say.
_MANY = 10
# Times the nuclei's light, where mitosis and death make them some 2 to 5 times as bright.
_BRIGHTER = 8.0
# Times the threshold: nuclei are some 3.2 times as bright, a tail of haze 1.7 to 2.3 times.
_PARTED = 2.7
_CLEAR = 6.0  # robust standard deviations of what is around: no noise, and no uneven light
_BRIM = 5  # px of the field: edges of debris that are less bright than half of that


def find_debris(above: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Mark debris beside which nuclei count as background; nothing in most fields.

    A threshold parts a field into two kinds of pixels. A few pieces of debris, many times as bright
    as nuclei, make one kind for themselves, and every nucleus is lost. So where few bodies are
    bright, what lies aside of them is parted once more; many bodies there, clear of the noise and
    far dimmer, are the nuclei.

    Parameters
    ----------
    above : ndarray
        (Y, X) float32: brightness above the background.
    bright : ndarray
        (Y, X) bool: what a threshold took for objects.

    Returns
    -------
    ndarray
        (Y, X) bool.
    """
    limit = _limit(above, bright)
    if not np.isfinite(limit):
        return np.zeros(above.shape, bool)
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _BRIM + 1, 2 * _BRIM + 1))
    return cv2.dilate((above > limit).view(np.uint8), shape) > 0


def _limit(above: np.ndarray, bright: np.ndarray) -> float:
    """Give the brightness from which on a pixel is debris; infinity where there is none."""
    factor = sample_step(above)
    lit = shrunk(bright.astype(np.float32), factor) > 0.5
    pieces = _count(lit)
    if not 0 < pieces <= _FEW or lit.mean() > _LITTLE:
        return np.inf
    light = shrunk(above, factor)
    aside = cv2.dilate(lit.view(np.uint8), np.ones((_HALO, _HALO), np.uint8)) == 0
    dim, background = part_rest(light, aside)
    if not dim.any() or _count(dim) < _MANY * pieces:
        return np.inf
    # Means of blocks are darker than nuclei that are no larger than a block: at 10x, of a large field.
    own = float(np.quantile(above[repeated(dim, factor, above.shape)], 0.75)) - background
    if float(np.median(light[lit])) - background < _BRIGHTER * own:
        return np.inf
    return background + _BRIGHTER / 2 * own


def part_rest(light: np.ndarray, aside: np.ndarray) -> tuple[np.ndarray, float]:
    """Part what lies aside of bright bodies once more.

    Parameters
    ----------
    light : ndarray
        (Y, X) float32.
    aside : ndarray
        (Y, X) bool.

    Returns
    -------
    tuple of ndarray and float
        (Y, X) bool: what is bright there, nothing where it is no more than noise, uneven light or a tail of
        haze; the median of what is dark there.
    """
    rest, nothing = light[aside], np.zeros(aside.shape, bool)
    if not len(rest) or rest.min() == rest.max():
        return nothing, 0.0
    cut, background = li_threshold(rest)
    dim = aside & (light > cut)
    own = float(light[dim].mean()) - background
    parted = own >= max(_PARTED * (cut - background), _CLEAR * deviation(rest, np.median(rest)))
    return dim if parted else nothing, background


def _count(mask: np.ndarray) -> int:
    """Count connected bodies."""
    return int(cv2.connectedComponents(mask.view(np.uint8), connectivity=4)[0]) - 1
