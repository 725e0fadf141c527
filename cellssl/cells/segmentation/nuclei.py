"""Nuclei from one channel, without weights: threshold, split what touches, trim the edges.

Everything is relative to the nuclei's diameter, which is estimated from the data when it is not
given, and to the background, so that one setting serves other magnifications and exposures.
"""

import cv2
import numpy as np

from cellssl.cells.segmentation.basins import find_basins
from cellssl.cells.segmentation.carving import Foreground, carve
from cellssl.cells.segmentation.dimmer import keep_nuclei, without_nuclei
from cellssl.cells.segmentation.lobes import join_lobes
from cellssl.cells.segmentation.outside import without_outside
from cellssl.cells.segmentation.smoothing import depth_below, gaussian, repeated, wide_gaussian

_TINY = 12  # px: smaller specks are noise at any magnification
_DEPTH, _LIGHT, _WIDE = 0.02, 0.08, 0.3  # diameters: sigmas of what basins are found on
_EDGE = 0.4  # of a nucleus' own brightness above background: there it ends
_SMALLEST = 0.1  # of the usual area: what is smaller is no nucleus
_LARGEST = 2.0  # likewise: a body that is one ellipse, and no larger, is one nucleus
# Of the mean of its surrounding: an object that exceeds it by less is no nucleus; one half as large as
# usual must exceed it twice as much, since haze has small grains.
_CONTRAST = 0.1
_SIGNAL = 4.0  # times the camera's noise, likewise: in an empty field all is noise


def find_nuclei(image: np.ndarray, *, diameter: float | None = None) -> np.ndarray:
    """Label the nuclei of one channel.

    Pixels above a share of Li's minimum cross-entropy threshold [1]_ and brighter than their
    surrounding are cut into nuclei, each of which ends at a share of its own brightness. What lies aside
    of them is looked at once more, where much dimmer ones stand by themselves.

    Parameters
    ----------
    image : ndarray
        (Y, X), any real type; nuclei bright.
    diameter : float, optional
        Usual diameter in pixels; estimated when left out.

    Returns
    -------
    ndarray
        (Y, X) int32: 0 background, 1 … n. Debris that outshines the nuclei is labelled too, so that
        whoever judges objects by their size can say that it is there.

    Notes
    -----
    On 60 fluorescence images of the 2018 Data Science Bowl, one setting for all, the F1 score
    pooled over 3,408 nuclei at an overlap (IoU) of one half is 0.864; 0.859 where the rule that
    joins lobes was fitted to other images than those it is scored on (five folds). Cellpose 3's
    ``cyto`` network at a diameter of 24 pixels gives 0.842, Otsu's threshold and a watershed of
    distances 0.74. A field of 1280 × 1024 takes 0.05 s on a core, and the latter 0.25 s.

    References
    ----------
    .. [1] Li and Tam, Pattern Recognition Letters 19 (1998) 771-776.
    """
    pixels = image.astype(np.float32)
    if pixels.min() == pixels.max():
        return np.zeros(image.shape, np.int32)
    pixels = without_outside(pixels)
    labels, debris = _find(pixels, diameter)
    found = _with_debris(labels, debris)
    left = without_nuclei(pixels, found)
    if left is not None:
        more = keep_nuclei(pixels, found, _find(left, diameter)[0])
        found = np.where(more > 0, more + found.max(), found)
    return found


def _find(pixels: np.ndarray, diameter: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Label the nuclei that a threshold finds: (Y, X) int32; and mark debris: (Y, X) bool."""
    ground = carve(pixels, diameter=diameter)
    if ground.diameter <= 0:
        return np.zeros(pixels.shape, np.int32), ground.debris
    place = np.flatnonzero(ground.mask)  # few pixels of most fields; the others are not looked at
    number = _split(ground, place)
    above, around = (image.ravel()[place] for image in (ground.view.above, ground.around))
    number = _trim(number, above)
    factor = ground.view.factor
    least = max(_SMALLEST * np.pi / 4 * ground.diameter**2, _TINY / factor**2)
    good = _distinct(number, above, around, ground=ground)
    good &= np.bincount(number, minlength=len(good)) >= least
    labels = np.zeros(ground.mask.shape, np.int32)
    labels.ravel()[place] = np.where(good, np.cumsum(good), 0)[number]
    labels = _without_holes(labels, np.append(place, ground.gaps))
    return repeated(labels, factor, pixels.shape), ground.debris


def _split(ground: Foreground, place: np.ndarray) -> np.ndarray:
    """Cut touching nuclei: basins of log depth and of local log brightness, joined where lobes.

    Gives the numbers of the nuclei, 1 … m, of the pixels at `place`, those of the mask.
    Logarithms make the depth of a valley between two lobes a ratio, the same for large and small,
    bright and dim ones. Brightness is taken relative to that around, so that a dim nucleus beside a
    bright one has a summit of its own.
    """
    size, view = ground.diameter, ground.view
    depth = gaussian(depth_below(ground.mask), max(0.5, _DEPTH * size))
    depth = np.log(np.maximum(depth, 0.5))
    light = gaussian(view.above, max(1.0, _LIGHT * size))
    light = np.log(np.maximum(light, np.float32(view.floor)))
    basins = find_basins(depth + light - wide_gaussian(light, _WIDE * size), ground.mask)
    largest = _LARGEST * np.pi / 4 * size**2
    return join_lobes(basins, depth, light, largest=largest)[basins.ravel()[place]]


def _trim(number: np.ndarray, above: np.ndarray) -> np.ndarray:
    """End each nucleus where it falls below a share of its own brightness (its upper quartile).

    Of n pixels: the numbers of their nuclei 1 … m, which become 0 where they end, and brightness.
    """
    # Bits of positive fractions are in the order of the fractions: one sort for both.
    bits = np.maximum(above, 0, dtype=np.float32).view(np.uint32)
    ranked = np.sort(number.astype(np.uint64) << np.uint64(32) | bits)
    value = ranked.astype(np.uint32).view(np.float32)
    last = np.cumsum(np.bincount(number, minlength=1))
    first, last = last[:-1], last[1:]
    upper = value[np.minimum(first + (0.75 * (last - first)).astype(np.int64), last - 1)]
    return number * (above > _EDGE * np.append(np.float32(0), upper)[number])


def _distinct(
    number: np.ndarray,
    above: np.ndarray,
    around: np.ndarray,
    *,
    ground: Foreground,
) -> np.ndarray:
    """Mark what differs from its surrounding: no grains of haze, nor of noise. (m + 1,), not 0."""
    areas, own, near = (np.bincount(number, weights) for weights in (None, above, around))
    share = np.minimum(areas / (np.pi / 4 * ground.diameter**2), 1)
    distinct = (own - near) * share > _CONTRAST * near
    distinct &= own - near > _SIGNAL * ground.view.noise * areas
    distinct[:1] = False
    return distinct


def _without_holes(labels: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Fill what one nucleus alone encloses, as its dark nucleoli; not what several do, nor the edge of the field.

    Parameters
    ----------
    labels : ndarray
        (Y, X) int32: the nuclei.
    place : ndarray
        (n,) places, as of `numpy.flatnonzero`: all of nuclei, and what may be filled.
    """
    left = place[labels.ravel()[place] == 0]
    width = labels.shape[1] + 2  # with a margin, so that every pixel has neighbours
    left, beside = left + 2 * (left // labels.shape[1]) + width + 1, [[-width], [-1], [1], [width]]
    inside = _framed((labels > 0).view(np.uint8))
    inside.ravel()[left] = 1
    # Brims are a few pixels wide, and gone in as many rounds: in less time than bodies are looked for.
    while (open_ := (inside.ravel()[left + beside] == 0).any(axis=0)).any():
        inside.ravel()[left[open_]] = 0
        left = left[~open_]
    if not len(left):
        return labels
    framed = _framed(labels)
    inside[framed > 0] = 0
    count, holes = cv2.connectedComponents(inside, connectivity=4)
    hole, nuclei = holes.ravel()[left], framed.ravel()[left + beside]
    least, most = np.full(count, labels.max()), np.zeros(count, np.int32)
    np.minimum.at(least, hole, np.where(nuclei > 0, nuclei, labels.max()).min(axis=0))
    np.maximum.at(most, hole, nuclei.max(axis=0))
    framed.ravel()[left] = np.where(least == most, most, 0)[hole]
    return framed[1:-1, 1:-1].copy()


def _framed(image: np.ndarray) -> np.ndarray:
    """Put a margin of one pixel of background around an image."""
    return cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT)


def _with_debris(labels: np.ndarray, debris: np.ndarray) -> np.ndarray:
    """Add the bodies of a mask as objects of their own."""
    if debris.any():
        bodies = cv2.connectedComponents(debris.view(np.uint8), connectivity=4)[1]
        bodies[bodies > 0] += labels.max()
        labels = np.where(debris, bodies, labels)
    return labels
