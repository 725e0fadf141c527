"""Objects that lie at one place in most fields: no cells do."""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree
from scipy.special import bdtrc

#: Fewer fields do not tell; more are not needed.
ENOUGH_FIELDS = 16
_NEAR = 3.0  # px: what is outlined anew in each field is not quite where it was
_CHANCE = 0.001  # that so many fields have an object at any one place, where cells lie as they like


def find_dust(centers: Sequence[np.ndarray]) -> tuple[float, float, int] | None:
    """Find the place where most of the fields have an object.

    Parameters
    ----------
    centers : sequence of ndarray
        Of each field, (n, 2) places of its objects in pixels.

    Returns
    -------
    tuple or None
        y, x, and how many fields have an object there; None where no place is that of more than half,
        where cells are so dense that this may be chance, or there are too few fields to tell.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> fields = [rng.uniform(0, 1000, (50, 2)) for _ in range(16)]
    >>> find_dust(fields), find_dust([np.vstack([own, [70, 30]]) for own in fields])
    (None, (70.0, 30.0, 16))
    """
    if len(centers) < ENOUGH_FIELDS:
        return None
    places = np.concatenate(centers[: (len(centers) + 1) // 2])  # one of them has what most have
    fields = np.zeros(len(places), int)
    for own in centers:
        if len(own) and len(places):
            fields += KDTree(own).query(places)[0] <= _NEAR
    most = int(fields.max(initial=0))
    if 2 * most <= len(centers):
        return None
    area = max(places.max(axis=0).prod(), 1)  # of a field
    dense = sum(map(len, centers)) / len(centers) / area  # objects per pixel
    by_chance = bdtrc(most - 1, len(centers), min(dense * np.pi * _NEAR**2, 1))
    if by_chance * len(places) > _CHANCE:
        return None
    y, x = places[fields.argmax()]
    return float(y), float(x), most
