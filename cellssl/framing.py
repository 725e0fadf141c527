"""How large a nucleus is, how much of its cell a window shows, and how coarse its pixels may be."""

import math

LOST = 8.0  # diameters of a nucleus: a window of more shows many cells
MOST_BINNED = 16  # px, side of the blocks that are averaged: of 16 bits their sums stay exact
VIEW = 2.5  # diameters: a cell with its surroundings
_LEAST = 8  # px


def diameter_of(area: float) -> float:
    """Give the diameter of a disc of so many pixels.

    Examples
    --------
    >>> round(diameter_of(314.16), 2)
    20.0
    """
    return math.sqrt(4 * area / math.pi)


def view_for(diameter: float) -> int:
    """Give the even side in pixels of a view that shows a cell, of a nucleus of this diameter.

    Examples
    --------
    >>> view_for(25.6)
    64
    """
    return max(2 * round(VIEW * diameter / 2), _LEAST)


def stored_size(view: int) -> int:
    """Give the side in pixels of crops for a view: half as large again, so that rotation brings in real pixels.

    Examples
    --------
    >>> stored_size(64)
    96
    """
    return 2 * round(view * 1.5 / 2)
