"""Numbers and lists in words."""

import re
from collections.abc import Sequence

import numpy as np

# In small letters: what tables hold where nothing is known.
NOTHING = ("nan", "na", "n/a", "#n/a", "none", "null", "-")

_PARTS = re.compile(r"\d+(?:\.\d+)?(?:e[+-]\d+)?|\D+")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Put a number before its noun: ``1 cell``, ``1,482 cells``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], *, most: int = 12) -> str:
    """Join names as a sentence does; beyond `most`, say how many more there are."""
    names = [str(name) for name in names]
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "none"


def natural_key(name: str) -> list[tuple[bool, float, str]]:
    """Sort names by the value of their numbers: 2 before 10, 0.003 and 1e-05 before 0.01.

    Examples
    --------
    >>> sorted(["taxol 10", "taxol 0.01", "taxol 0.003", "taxol 1e-05"], key=natural_key)
    ['taxol 1e-05', 'taxol 0.003', 'taxol 0.01', 'taxol 10']
    >>> sorted(["b", "a10", "a2", "10", "9", "a2b"], key=natural_key)
    ['9', '10', 'a2', 'a2b', 'a10', 'b']
    """
    return [
        (False, float(part), "") if part[0].isdecimal() else (True, 0.0, part)
        for part in _PARTS.findall(name)
    ]


def number(value: object, digits: int = 2) -> str:
    """Write a number with a true minus, or a dash where there is none; what rounds to 0 has no sign."""
    if not isinstance(value, int | float | np.number) or not np.isfinite(value):
        return "–"
    return f"{float(value):z.{digits}f}".replace("-", "−")


def with_interval(value: float, low: float, high: float, digits: int = 3) -> str:
    """Write a number and, where it is known, its interval; a dash where there is no number.

    Examples
    --------
    >>> with_interval(0.5, 0.42, 0.61), with_interval(0.1, -0.1, 0.3, 1), with_interval(0.5, *2 * [np.nan])
    ('0.500 (0.420–0.610)', '0.1 (−0.1 to 0.3)', '0.500')
    """
    text, lowest, highest = (number(one, digits) for one in (value, low, high))
    if not np.isfinite(value) or np.isnan(low):
        return text
    return f"{text} ({lowest}{' to ' if low < 0 else '–'}{highest})"


def gain(value: float, low: float, high: float) -> str:
    """Write a difference and, where it is known, its interval, each with its sign.

    Examples
    --------
    >>> gain(0.02, -0.01, 0.05)
    '+0.020 (−0.010 to +0.050)'
    """
    text = f"{value:+z.3f}" + ("" if np.isnan(low) else f" ({low:+z.3f} to {high:+z.3f})")
    return text.replace("-", "−")


def share(part: float, whole: float) -> str:
    """Write a part of a whole in percent."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if 0 < percent < 10 else f"{percent:.0f} %"
