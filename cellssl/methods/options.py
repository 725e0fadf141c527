"""Checks of what a protocol may say in `method_options`."""

import sys

__all__ = ["WIDEST", "fraction", "not_negative", "positive", "switch", "whole"]

WIDEST = 2**16  # eight times the widest layer of the methods' papers; a slip of the keyboard beyond
_LARGEST = sys.float_info.max  # no infinity


def whole(*pairs: str | int, most: int = WIDEST) -> None:
    """Refuse anything but whole numbers from 1 to `most`; `pairs` are names and values in turn."""
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"{name}: got {value!r}, wanted a whole number from 1 to {most}")


def positive(name: str, value: float) -> None:
    """Refuse anything but a number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        raise ValueError(f"{name}: got {value!r}, wanted a number above 0")


def not_negative(name: str, value: float) -> None:
    """Refuse anything but a number of 0 or more."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise ValueError(f"{name}: got {value!r}, wanted a number of 0 or more")


def switch(name: str, value: bool) -> None:
    """Refuse anything but true or false: as text, "no" would mean yes."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}: got {value!r}, wanted true or false")


def fraction(*pairs: str | float) -> None:
    """Refuse anything but numbers from 0 to 1; `pairs` are names and values in turn."""
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name}: got {value!r}, wanted a number from 0 to 1")
