"""What is bright and brighter than its surrounding, seen at the scale of the nuclei."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from cellssl.cells.segmentation.glare import find_debris
from cellssl.cells.segmentation.levels import li_threshold
from cellssl.cells.segmentation.smoothing import (
    depth_below,
    gaussian,
    opened,
    sample_step,
    shrunk,
    wide_gaussian,
    without_hot,
)

_SMOOTH, _SMOOTHEST = 0.8, 2.5  # px: sigma of the first smoothing, against camera noise
_GRAIN = 0.045  # of the light above background: more noise than that is smoothed away
_WHITE = 2 * np.sqrt(np.pi)  # a Gaussian leaves 1 / (2 √π sigma) of white noise
_THRESHOLD = 0.7  # of the way from the background to Li's threshold, that a pixel must reach
_SIGNAL = 3.0  # times the noise: what is dimmer is background
# Diameters: sigma of the surrounding whose mean a pixel must exceed; it parts crowded nuclei.
_SURROUND = 0.5
_FINE = 14  # px: nuclei are never looked at with more than twice so many pixels across
_SETTLED = 0.95  # a round of carving is the last when it leaves that much of the diameter
_ACROSS = 6  # a field is at least so many nuclei wide
_TISSUE = 12  # bodies of more than so many inscribed circles are no nuclei, nor a cluster of them
# Times as many inscribed circles in a body as a round before: that parted no bodies, but thinned them.
_THINNED = 1.2
_STEP = 0.75  # by which the scale shrinks while it shows such bodies
_MORE = 0.75  # px: added to the sigma of the surrounding, which matters where nuclei are small
_LEAST = 6  # px: it does not shrink below
_HOLE = 0.2  # squared diameters: larger holes may be gaps between nuclei
_GAP = 1.0  # likewise: even larger ones are background
_SPARSE = 101  # pixels between those that tell which region is the background
# How far a pixel lies from the mean of its neighbours in the row, twice.
_BEND = np.array([[-1, 2, -1]], np.float32)


@dataclass(frozen=True)
class _View:
    """An image averaged over blocks: brightness above the background, and what is bright.

    Attributes
    ----------
    factor : int
        Side of the blocks in pixels.
    background : float
        Brightness of what lies below the threshold.
    above : ndarray
        (Y, X) float32: smoothed, background subtracted.
    bright : ndarray
        (Y, X) bool: above `floor`.
    floor : float
        The least brightness above background that counts.
    noise : float
        What smoothing left of the camera's noise.
    """

    factor: int
    background: float
    above: np.ndarray
    bright: np.ndarray
    floor: float
    noise: float


@dataclass(frozen=True)
class Foreground:
    """Where nuclei are, in pixels of a view.

    Attributes
    ----------
    view : _View
        What was looked at.
    around : ndarray
        (Y, X) float32: mean brightness of each pixel's surrounding.
    mask : ndarray
        (Y, X) bool: what is bright, and brighter than its surrounding.
    gaps : ndarray
        (n,) places in it that it encloses: between nuclei, or amid one.
    diameter : float
        Usual diameter of a nucleus; 0 where there is none.
    debris : ndarray
        (Y, X) bool, in pixels of the image: what was taken out before, see `find_debris`.
    """

    view: _View
    around: np.ndarray
    mask: np.ndarray
    gaps: np.ndarray
    diameter: float
    debris: np.ndarray


@dataclass(frozen=True)
class _Cut:
    """What a round of carving left: as the attributes of `Foreground` by these names."""

    view: _View
    around: np.ndarray
    mask: np.ndarray

    @cached_property
    def diameter(self) -> float:
        """Usual diameter of what is left, in pixels of the view."""
        return estimate_diameter(self.mask)

    @cached_property
    def bulk(self) -> float:
        """Usual area of its bodies, in circles of that diameter."""
        area = _usual_area(self.mask)
        return area / self.diameter**2 if self.diameter else (np.inf if area else 0.0)


def carve(image: np.ndarray, *, diameter: float | None) -> Foreground:
    """Find the foreground of a channel and the diameter of its nuclei.

    Where nuclei are crowded the threshold sees one large body: each round's surrounding is as wide
    as the bodies that the round before left, until they no longer shrink. Bodies that are much
    larger than any circle inscribed in them are tissue, whose nuclei are looked for at a finer
    scale. A round that thins bodies without parting them has cut into the texture of nuclei, and is
    undone. Debris beside which nuclei are dark is taken out first. Large nuclei are looked at with
    larger pixels: less noise, and less work.

    Parameters
    ----------
    image : ndarray
        (Y, X) float32.
    diameter : float or None
        Usual diameter in pixels of the image, if known.
    """
    view = _look(image, 1)
    debris = find_debris(view.above, view.bright)
    if debris.any():
        image = np.where(debris, np.float32(view.background), image)
        view = _look(image, 1)
    cut = _cut(image, view, diameter) if diameter else _settled(image, view)
    size = diameter / cut.view.factor if diameter else cut.diameter
    mask, gaps = _filled(cut.mask, _HOLE * size**2, _GAP * size**2)
    return Foreground(cut.view, cut.around, mask, gaps, size, debris)


def _settled(image: np.ndarray, view: _View) -> _Cut:
    """Cut round by round until bodies are nuclei."""
    # Every second pixel is enough to begin with, unless nuclei are tiny.
    rough = 2 * estimate_diameter(view.bright[::2, ::2]) or estimate_diameter(view.bright)
    size = min(rough, min(image.shape) / _ACROSS)
    cut, bulk = _Cut(view, view.above, view.bright), np.inf
    while size:
        before, cut = cut, _cut(image, cut.view, size)
        if bulk <= _TISSUE and cut.bulk > _THINNED * bulk:
            return before
        bulk, left = cut.bulk, cut.view.factor * cut.diameter
        if 0 < left < _SETTLED * size:
            size = left
        elif size > _LEAST and bulk > _TISSUE:
            size *= _STEP
        else:
            return cut
    return cut


def _cut(image: np.ndarray, view: _View, size: float) -> _Cut:
    """Take away what is no brighter than its surrounding, as wide as nuclei of that diameter ask for."""
    factor = max(1, int(size // _FINE))
    if factor != view.factor:
        view = _look(image, factor)
    around = wide_gaussian(view.above, _SURROUND * size / factor + _MORE)
    return _Cut(view, around, opened(view.bright & (view.above > around)))


def estimate_diameter(mask: np.ndarray) -> float:
    """Estimate the usual diameter of blobs, touching ones too, in pixels; 0 without any.

    Twice the median radius (weighted by area) of the circles inscribed at the maxima of the
    distance to the background.
    """
    depth = gaussian(depth_below(mask), _SMOOTH)
    peaks = mask & (cv2.dilate(depth, np.ones((7, 7), np.uint8)) == depth) & (depth > 1.5)
    radii = np.sort(depth[peaks])
    if not len(radii):
        return 0.0
    return 2 * _middle(radii, radii**2)


def _look(image: np.ndarray, factor: int) -> _View:
    """Make a view; see `_View`."""
    pixels = without_hot(shrunk(image, factor))
    step = sample_step(pixels)
    some = np.s_[::step, ::step]
    bends = np.abs(cv2.filter2D(pixels[::step], -1, _BEND))[:, ::step]
    smooth, sigma = gaussian(pixels, _SMOOTH), _SMOOTH
    cut, background = li_threshold(smooth[some])
    lit = smooth[some] > cut
    if lit.any():
        light = max(float(smooth[some][lit].mean()) - background, np.finfo(np.float32).tiny)
        sigma = min(_noise(bends[lit]) / (_WHITE * _GRAIN * light), _SMOOTHEST)
    if sigma > _SMOOTH:
        smooth = gaussian(pixels, sigma)
        cut, background = li_threshold(smooth[some])
    noise = _noise(bends[smooth[some] <= cut]) / (_WHITE * max(sigma, _SMOOTH))
    # Logarithms are taken of it, also where nothing is bright.
    floor = max(_THRESHOLD * (cut - background), _SIGNAL * noise, np.finfo(np.float32).tiny)
    above = smooth - np.float32(background)
    bright = above > floor if cut > background else np.zeros(above.shape, bool)
    return _View(factor, background, above, opened(bright), floor, noise)


def _usual_area(mask: np.ndarray) -> float:
    """Give the median area of a mask's bodies, weighted by area, in circles of diameter 1."""
    some = mask[::2, ::2]  # shows large bodies as well
    bodies = cv2.connectedComponents(some.view(np.uint8), connectivity=4)[1]
    areas = np.sort(4 * np.bincount(bodies[some])[1:])
    if not len(areas):
        return 0.0
    return _middle(areas, areas) / (np.pi / 4)


def _middle(sizes: np.ndarray, weights: np.ndarray) -> float:
    """Give the weighted median of sizes in rising order."""
    sums = np.cumsum(weights)
    return float(sizes[np.searchsorted(sums, sums[-1] / 2)])


def _filled(mask: np.ndarray, hole: float, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Fill holes of less than so many pixels; give the places of larger ones, which crowded nuclei may enclose."""
    holes: np.ndarray = cv2.connectedComponents((~mask).view(np.uint8), connectivity=4)[1].ravel()
    # The background is not looked at: what most of some pixels lie in.
    some = np.bincount(holes[::_SPARSE], minlength=2)
    background = 1 + int(some[1:].argmax())
    place = np.flatnonzero((holes > 0) & (holes != background))
    number = holes[place]
    area = np.bincount(number)[number]
    filled = mask.copy()
    filled.ravel()[place[area < hole]] = True
    return filled, place[(area >= hole) & (area < gap)]


def _noise(bends: np.ndarray) -> float:
    """Estimate the standard deviation of the noise of some pixels; edges among them hardly count."""
    # Of Gaussian noise a bend has √6 its deviation, and half of all values lie within 0.6745 of it.
    return float(np.median(bends)) / (0.6745 * np.sqrt(6)) if len(bends) else 0.0
