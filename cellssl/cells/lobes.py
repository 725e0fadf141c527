"""Which basins are lobes of one nucleus, and which are nuclei that touch."""

import heapq
import math
from operator import add
from typing import NamedTuple

import numpy as np

__all__ = ["join_lobes"]

# The log odds that two regions are two nuclei: a logistic regression on pairs of regions in the 60
# images of the 2018 Data Science Bowl that the tests use too, rounded. See `find_nuclei` for what it
# gives on images that it was not fitted to.
_BIAS = 3.3
_DEPTH, _LIGHT, _CONTACT, _STEP, _UNION, _GAIN = 1.0, 0.7, 1.0, 4.4, -14.5, 23.5
_FLAT = 0.03  # valleys (natural logarithm) below this hardly differ from none


class _Region(NamedTuple):
    """A union of basins; sums over its pixels, so that joining is adding.

    Attributes
    ----------
    sums : tuple of float
        Over pixels: 1, y, x, y², x², yx, light.
    depth, light : float
        The highest of its pixels' values.
    ragged : float
        Log of the area of the ellipse with the same moments over the own area: 0 if it is one.
    """

    sums: tuple[float, ...]
    depth: float
    light: float
    ragged: float

    @classmethod
    def of(cls, sums: tuple[float, ...], depth: float, light: float) -> "_Region":
        area, y, x, yy, xx, yx, _ = sums
        y, x = y / area, x / area
        # A pixel is a square: its own variance is 1/12.
        yy, xx, yx = yy / area - y * y + 1 / 12, xx / area - x * x + 1 / 12, yx / area - y * x
        round_area = 4 * math.pi * math.sqrt(max(yy * xx - yx * yx, 1e-3))
        return cls(sums, depth, light, math.log(round_area / area))

    def joined(self, other: "_Region") -> "_Region":
        sums = tuple(map(add, self.sums, other.sums))
        return _Region.of(sums, max(self.depth, other.depth), max(self.light, other.light))


class _Pass(NamedTuple):
    """Where two regions touch: pairs of pixels, and the highest values that lead across."""

    width: float
    depth: float
    light: float

    def joined(self, other: "_Pass") -> "_Pass":
        return _Pass(
            self.width + other.width, max(self.depth, other.depth), max(self.light, other.light)
        )


def join_lobes(
    basins: np.ndarray, depth: np.ndarray, light: np.ndarray, *, apart: float = 0.0
) -> np.ndarray:
    """Join basins until what remains looks like one nucleus each.

    Two regions are the less likely one nucleus, the deeper the valley between them (in depth and in
    light), the wider their border, the more their brightness differs, and the more like ellipses
    they are compared with their union. The likeliest pair is joined first, and its neighbours are
    judged anew.

    Parameters
    ----------
    basins : ndarray
        (Y, X) int32: 0 background, 1 … n.
    depth, light : ndarray
        (Y, X) float32: natural logarithms of the distance to the background and of the brightness.
    apart : float
        Log odds above which two regions stay apart.

    Returns
    -------
    ndarray
        (n + 1,) int32: the nucleus that each basin belongs to.
    """
    inside = np.flatnonzero(basins > 0)
    regions = _measure(inside, basins, depth, light)
    borders = _find_borders(inside, basins, depth, light)
    parents = list(range(len(regions) + 1))
    queue: list[tuple[float, int, int, _Region]] = []

    def consider(one: int, two: int) -> None:
        both = regions[one].joined(regions[two])
        odds = _log_odds(regions[one], regions[two], both, borders[one][two])
        if odds < apart:
            heapq.heappush(queue, (odds, one, two, both))

    for one, neighbours in borders.items():
        for two in neighbours:
            if one < two:
                consider(one, two)
    while queue:
        _, one, two, both = heapq.heappop(queue)
        if one not in regions or two not in regions:
            continue  # joined with another since
        new = len(parents)
        parents.append(new)
        parents[one] = parents[two] = new
        regions[new] = both
        del regions[one], regions[two]
        borders[new] = _joined_borders(borders, one, two)
        for other, border in borders[new].items():
            borders[other][new] = border
            consider(other, new)
    return _roots(parents, int(basins.max()))


def _joined_borders(borders: dict[int, dict[int, _Pass]], one: int, two: int) -> dict[int, _Pass]:
    """Take two regions out of the borders and give those of their union."""
    joined = borders.pop(one)
    for other, border in borders.pop(two).items():
        joined[other] = joined[other].joined(border) if other in joined else border
    del joined[one], joined[two]
    for other in joined:
        borders[other].pop(one, None)
        borders[other].pop(two, None)
    return joined


def _roots(parents: list[int], count: int) -> np.ndarray:
    """Give the first `count` regions the numbers, 1 … m, of those that they became part of."""
    roots = list(parents)
    for region in range(len(parents) - 1, 0, -1):  # parents come after their children
        roots[region] = roots[parents[region]]
    numbers = {0: 0}
    return np.array(
        [numbers.setdefault(root, len(numbers)) for root in roots[: count + 1]], np.int32
    )


def _log_odds(one: _Region, two: _Region, both: _Region, border: _Pass) -> float:
    """Give the log odds that two regions, and their union, are two nuclei."""
    small = min(one.sums[0], two.sums[0])
    parts = one.ragged * one.sums[0] + two.ragged * two.sums[0]
    return (
        _BIAS
        + _DEPTH * _valley(min(one.depth, two.depth) - border.depth)
        + _LIGHT * _valley(min(one.light, two.light) - border.light)
        + _CONTACT * math.log(border.width / math.sqrt(small))
        + _STEP * abs(one.sums[6] / one.sums[0] - two.sums[6] / two.sums[0])
        + _UNION * min(max(both.ragged, 0.0), 0.5)
        + _GAIN * min(max(both.ragged - parts / both.sums[0], -0.15), 0.3)
    )


def _valley(fall: float) -> float:
    """Measure a valley: what counts is how many times deeper than another it is."""
    return math.log(min(max(fall, 0.0), 2.0) + _FLAT)


def _measure(
    inside: np.ndarray, basins: np.ndarray, depth: np.ndarray, light: np.ndarray
) -> dict[int, _Region]:
    """Measure every basin."""
    count = int(basins.max())
    if not count:
        return {}
    number = basins.ravel()[inside]
    y, x = (axis.astype(float) for axis in np.divmod(inside, basins.shape[1]))
    deep, bright = depth.ravel()[inside], light.ravel()[inside]
    sums = [
        np.bincount(number, values, minlength=count + 1)
        for values in (None, y, x, y * y, x * x, y * x, bright)
    ]
    order = np.argsort(number.astype(np.min_scalar_type(count)), kind="stable")  # short is fast
    starts = np.cumsum(sums[0])[:-1].astype(np.intp)
    tops = [np.maximum.reduceat(values[order], starts).tolist() for values in (deep, bright)]
    rows = np.stack(sums, axis=1)[1:].tolist()
    return {
        row: _Region.of(tuple(values), top, peak)
        for row, (values, top, peak) in enumerate(zip(rows, *tops, strict=True), start=1)
    }


def _find_borders(
    inside: np.ndarray, basins: np.ndarray, depth: np.ndarray, light: np.ndarray
) -> dict[int, dict[int, _Pass]]:
    """Find which basins touch, and their passes."""
    pairs, deep, bright = [], [], []
    count, width = int(basins.max()), basins.shape[1]
    numbers, depths, lights = basins.ravel(), depth.ravel(), light.ravel()
    for here, step in (
        (inside[inside % width < width - 1], 1),
        (inside[inside < basins.size - width], width),
    ):
        one, two = numbers[here].astype(np.int64), numbers[here + step]
        touch = (one != two) & (two > 0)
        one, two, first, last = one[touch], two[touch], here[touch], here[touch] + step
        pairs.append(np.minimum(one, two) * (count + 1) + np.maximum(one, two))
        deep.append(np.minimum(depths[first], depths[last]))
        bright.append(np.minimum(lights[first], lights[last]))
    borders: dict[int, dict[int, _Pass]] = {number: {} for number in range(1, count + 1)}
    pair = np.concatenate(pairs)
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    if not len(starts):
        return borders
    tops = [np.maximum.reduceat(np.concatenate(v)[order], starts).tolist() for v in (deep, bright)]
    widths = np.diff(starts, append=len(pair)).tolist()
    for key, *values in zip(pair[starts].tolist(), widths, *tops, strict=True):
        one, two = divmod(key, count + 1)
        borders[one][two] = borders[two][one] = _Pass(*values)
    return borders
