"""An operation at a share of its amplitude."""

from dataclasses import replace
from typing import Any

from cellssl.augment import Operation
from cellssl.augment.quantities import Number, Span

# Each shows one of a cell's turned or mirrored images.
TURNING = ("rotate", "quarter_turn", "flip")
# How cells lie under the microscope, and how they were cut out: no plate differs by it, and where no
# class does either, it is no phenotype.
LYING = (*TURNING, "shift")


def amplitude_keys(operation: Operation) -> list[str]:
    """Name the keys by which an operation can be made weaker otherwise than by touching fewer cells."""
    rules = operation.rules()
    return [key for key in operation.nothing if isinstance(rules[key][0], Number | Span)]


def at_share(operation: Operation, share: float) -> Operation:
    """Give an operation at a share of its amplitude; its chance stays.

    Every key that has a value at which nothing happens goes that far from it to the value it has: a
    gain of ±0.4 becomes ±0.2 at 0.5, a zoom of 0.8–1.2 becomes 0.9–1.1. Where there is no such key
    (a flip, grey), the chance is multiplied instead.

    Parameters
    ----------
    share
        0 for nothing, 1 for the operation as it is; more where its rules allow it.

    Raises
    ------
    ValueError
        When the share takes a value out of its rule.

    Examples
    --------
    >>> from cellssl.augment import operation_named
    >>> at_share(operation_named("zoom")(area=(0.8, 1.2)), 0.5).area
    (0.9, 1.1)
    """
    if share == 1.0:
        return operation
    keys = amplitude_keys(operation)
    if not keys:
        return replace(operation, p=min(1.0, operation.p * share))
    weaker: dict[str, Any] = {
        key: _between(operation.nothing[key], getattr(operation, key), share) for key in keys
    }
    return replace(operation, **weaker)


def _between(nothing: Any, value: Any, share: float) -> Any:
    """Go a share of the way from nothing to a number, or to both ends of a span."""
    if isinstance(value, tuple):
        ends = zip(nothing, value, strict=True)
        return tuple(sorted(_between(start, end, share) for start, end in ends))
    return round(float(nothing + share * (value - nothing)), 6)
