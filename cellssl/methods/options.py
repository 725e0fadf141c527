"""Checks of what a protocol may say in `method_options`, each option by its name."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

WIDEST = 2**16  # eight times the widest layer of the methods' papers; a slip of the keyboard beyond
_LARGEST = sys.float_info.max  # no infinity


def whole(*, most: int = WIDEST, **options: int) -> None:
    """Refuse anything but whole numbers from 1 to `most`."""
    wanted = f"a whole number from 1 to {most}"
    _check(options, wanted, lambda x: _is_number(x) and isinstance(x, int) and 1 <= x <= most)


def positive(**options: float) -> None:
    """Refuse anything but numbers above 0."""
    _check(options, "a number above 0", lambda x: _is_number(x) and 0 < x <= _LARGEST)


def not_negative(**options: float) -> None:
    """Refuse anything but numbers of 0 or more."""
    _check(options, "a number of 0 or more", lambda x: _is_number(x) and 0 <= x <= _LARGEST)


def fraction(**options: float) -> None:
    """Refuse anything but numbers from 0 to 1."""
    _check(options, "a number from 0 to 1", lambda x: _is_number(x) and 0 <= x <= 1)


def switch(**options: bool) -> None:
    """Refuse anything but true or false: as text, "no" would mean yes."""
    _check(options, "true or false", lambda x: isinstance(x, bool))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(options: Mapping[str, Any], wanted: str, fits: Callable[[Any], bool]) -> None:
    for name, value in options.items():
        if not fits(value):
            raise ValueError(f"{name}: got {value!r}, wanted {wanted}")
