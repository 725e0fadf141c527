"""Which basins are lobes of one nucleus, and which are nuclei that touch."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# The log odds that two regions are two nuclei: a logistic regression on pairs of regions in the 60
# images of the 2018 Data Science Bowl that the tests use too, rounded. See `find_nuclei` for what it
# gives on images that it was not fitted to.
_BIAS = 3.3
_DEPTH, _LIGHT, _CONTACT, _STEP, _UNION, _GAIN = 1.0, 0.7, 1.0, 4.4, -14.5, 23.5
_FLAT = 0.03  # valleys (natural logarithm) below this hardly differ from none
# A body that is less ragged is an ellipse: two nuclei that touch at a point have 0.11.
_ROUND = 0.03


@dataclass(frozen=True)
class _Regions:
    """Unions of basins, n of them.

    Attributes
    ----------
    sums : ndarray
        (n, 7) float64, over pixels: 1, y, x, y², x², yx, light; so that joining is adding.
    tops : ndarray
        (n, 2) float64: the highest depth and light.
    """

    sums: np.ndarray
    tops: np.ndarray


@dataclass(frozen=True)
class _Borders:
    """Where regions touch, a row for each of k pairs of them.

    Attributes
    ----------
    one, two : ndarray
        (k,) int: the regions; one < two.
    width : ndarray
        (k,) int: pairs of pixels.
    tops : ndarray
        (k, 2) float64: the highest depth and light that lead across.
    """

    one: np.ndarray
    two: np.ndarray
    width: np.ndarray
    tops: np.ndarray

    @classmethod
    def of(cls, one: np.ndarray, two: np.ndarray, width: np.ndarray, tops: np.ndarray) -> Self:
        """Put together what lies between the same two regions, and drop what lies within one."""
        pair = np.minimum(one, two) << 32 | np.maximum(one, two)
        order = np.argsort(pair)
        order = order[(one != two)[order]]
        first = np.flatnonzero(np.diff(pair[order], prepend=-1))
        if len(first):
            width = np.add.reduceat(width[order], first)
            tops = np.maximum.reduceat(tops[order], first)
        pair = pair[order[first]]
        return cls(pair >> 32, pair & 0xFFFFFFFF, width[: len(pair)], tops[: len(pair)])


def join_lobes(
    basins: np.ndarray, depth: np.ndarray, light: np.ndarray, *, largest: float
) -> np.ndarray:
    """Join basins until what remains looks like one nucleus each.

    Two regions are the less likely one nucleus, the deeper the valley between them (in depth and in
    light), the wider their border, the more their brightness differs, and the more like ellipses
    they are compared with their union. In each round the pairs are joined of which each is the
    likeliest neighbour of the other, and what they make is judged anew. A body that as a whole is an
    ellipse, and no larger than one nucleus may be, is one, however its brightness varies (the bright
    spots of mouse nuclei).

    Parameters
    ----------
    basins : ndarray
        (Y, X) int32: 0 background, 1 … n.
    depth, light : ndarray
        (Y, X) float32: natural logarithms of the distance to the background and of the brightness.
    largest : float
        Pixels of one nucleus, at most.

    Returns
    -------
    ndarray
        (n + 1,) int64: the number of the nucleus that each basin belongs to; some may be left out.
    """
    inside = np.flatnonzero(basins > 0)
    regions = _measure(inside, basins, depth, light)
    borders = _find_borders(inside, basins, depth, light)
    nucleus = np.arange(len(regions.sums))
    while len(chosen := _likeliest(_log_odds(regions, borders), borders)):
        regions, borders, number = _joined(regions, borders, chosen)
        nucleus = number[nucleus]
    return np.append(0, _with_whole_bodies(regions, borders, largest)[nucleus] + 1)


def _with_whole_bodies(regions: _Regions, borders: _Borders, largest: float) -> np.ndarray:
    """Give each region (n,) its number, or the first one's of its body where that is one ellipse of at most so much."""
    own = np.arange(len(regions.sums))
    touching = coo_array((borders.width, (borders.one, borders.two)), shape=(len(own), len(own)))
    count, body = connected_components(touching, directed=False)
    sums = np.zeros((count, regions.sums.shape[1]))
    np.add.at(sums, body, regions.sums)
    whole = (_ragged(sums) < _ROUND) & (sums[:, 0] <= largest)
    first = np.unique(body, return_index=True)[1]
    return np.where(whole[body], first[body], own)


def _likeliest(odds: np.ndarray, borders: _Borders) -> np.ndarray:
    """Choose the borders (k,) with the lowest odds, below even ones, of all that either of their regions has."""
    ranked = np.argsort(odds, kind="stable")
    ranked = ranked[: np.searchsorted(odds[ranked], 0)]
    one, two = borders.one[ranked], borders.two[ranked]
    rank = np.arange(len(ranked))
    best = np.full(borders.two.max(initial=0) + 1, len(ranked))
    np.minimum.at(best, one, rank)
    np.minimum.at(best, two, rank)
    return ranked[(best[one] == rank) & (best[two] == rank)]


def _joined(
    regions: _Regions, borders: _Borders, chosen: np.ndarray
) -> tuple[_Regions, _Borders, np.ndarray]:
    """Join the regions on both sides of some borders; give the new number of each region too."""
    one, two = borders.one[chosen], borders.two[chosen]
    sums, tops = regions.sums.copy(), regions.tops.copy()
    sums[one] += sums[two]
    tops[one] = np.maximum(tops[one], tops[two])
    left = np.ones(len(sums), bool)
    left[two] = False
    number = np.cumsum(left) - 1
    number[two] = number[one]
    borders = _Borders.of(number[borders.one], number[borders.two], borders.width, borders.tops)
    return _Regions(sums[left], tops[left]), borders, number


def _log_odds(regions: _Regions, borders: _Borders) -> np.ndarray:
    """Give the log odds that the regions on both sides of a border are two nuclei: (k,)."""
    one, two = borders.one, borders.two
    sums, both = regions.sums, regions.sums[one] + regions.sums[two]
    area, light = sums[:, 0], sums[:, 6] / sums[:, 0]
    ragged, parts = _ragged(both), area * _ragged(sums)
    valleys = np.minimum(regions.tops[one], regions.tops[two]) - borders.tops
    deep, dark = _valley(valleys).T
    return (
        _BIAS
        + _DEPTH * deep
        + _LIGHT * dark
        + _CONTACT * np.log(borders.width / np.sqrt(np.minimum(area[one], area[two])))
        + _STEP * np.abs(light[one] - light[two])
        + _UNION * np.clip(ragged, 0, 0.5)
        + _GAIN * np.clip(ragged - (parts[one] + parts[two]) / both[:, 0], -0.15, 0.3)
    )


def _ragged(sums: np.ndarray) -> np.ndarray:
    """Log of the area of the ellipse with the same moments over the own area: 0 if it is one."""
    area = sums[:, 0]
    y, x, yy, xx, yx = sums[:, 1:6].T / area
    # A pixel is a square: its own variance is 1/12.
    spread = (yy - y * y + 1 / 12) * (xx - x * x + 1 / 12) - (yx - y * x) ** 2
    return np.log(4 * np.pi * np.sqrt(np.maximum(spread, 1e-3)) / area)


def _valley(fall: np.ndarray) -> np.ndarray:
    """Measure valleys: what counts is how many times deeper than another one is."""
    return np.log(np.clip(fall, 0, 2) + _FLAT)


def _measure(
    inside: np.ndarray, basins: np.ndarray, depth: np.ndarray, light: np.ndarray
) -> _Regions:
    """Measure every basin."""
    number = basins.ravel()[inside].astype(np.intp) - 1
    y, x = (axis.astype(float) for axis in np.divmod(inside, basins.shape[1]))
    deep, bright = depth.ravel()[inside], light.ravel()[inside]
    values = (None, y, x, y * y, x * x, y * x, bright)
    sums = np.stack([np.bincount(number, value) for value in values], axis=1)
    tops = np.full((2, len(sums)), -np.inf, np.float32)
    for top, value in zip(tops, (deep, bright), strict=True):
        np.maximum.at(top, number, value)
    return _Regions(sums, tops.T.astype(float))


def _find_borders(
    inside: np.ndarray, basins: np.ndarray, depth: np.ndarray, light: np.ndarray
) -> _Borders:
    """Find which basins touch."""
    width = basins.shape[1]
    numbers, heights = basins.ravel(), (depth.ravel(), light.ravel())
    first, last = [], []
    for here, step in (
        (inside[inside % width < width - 1], 1),
        (inside[inside < basins.size - width], width),
    ):
        one, two = numbers[here], numbers[here + step]
        touch = here[(one != two) & (two > 0)]
        first.append(touch)
        last.append(touch + step)
    here, there = np.concatenate(first), np.concatenate(last)
    one, two = (numbers[place].astype(np.intp) - 1 for place in (here, there))
    tops = np.stack([np.minimum(height[here], height[there]) for height in heights], axis=1)
    return _Borders.of(one, two, np.ones(len(here), np.intp), tops.astype(float))
