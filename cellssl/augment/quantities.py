"""What the values of an operation mean: unit, range and meaning, stated once."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cellssl.errors import nearest

__all__ = [
    "ChannelName",
    "Choice",
    "Number",
    "Rule",
    "Span",
    "Switch",
    "Texts",
    "channel_name",
    "choice",
    "number",
    "quoted",
    "span",
    "switch",
    "texts",
]


_WRITTEN = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\W\d_]*|[%°])\s*"
)


class Rule(Protocol):
    """What a field of an operation may hold."""

    @property
    def meaning(self) -> str:
        """What the value is."""
        ...

    @property
    def unit(self) -> str:
        """What it is counted in, or nothing."""
        ...

    def problem(self, value: object) -> str | None:
        """Say what was got and what was wanted, or None where `value` is fine."""
        ...


def _is_number(value: object) -> bool:
    """Tell a finite int or float from everything else; True and False are no numbers here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _is_whole(value: object) -> bool:
    """Tell an int from everything else."""
    return isinstance(value, int) and not isinstance(value, bool)


def _bare(value: object) -> str:
    """Write a number that came as a text, with a comma, a unit or quotes, as YAML has it; "" for any other."""
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    number = found["number"].replace(",", ".")
    return f"{float(number) / 100:g}" if found["unit"] == "%" else number


def _written(value: object) -> str:
    """Say how a number is written that came as a text."""
    number = _bare(value)
    return f"; write {number}, the number alone" if number else ""


def _written_ends(values: Sequence[object]) -> str:
    """Say how two numbers are written of which one came as a text, or of which decimal commas made four."""
    if len(values) == 4 and all(map(_is_whole, values)):
        return "; decimal commas? Numbers have a point: [0.1, 1.5]"
    ends = [str(end) if _is_number(end) else _bare(end) for end in values]
    meant = len(ends) == 2 and all(ends) and not all(map(_is_number, values))
    return f"; write [{', '.join(ends)}]" if meant else ""


def quoted(values: Sequence[object]) -> str:
    """Say how names are written that YAML takes for numbers or dates, as 488 for a laser line; "" for no names."""
    if not values or any(
        value in (None, "") or isinstance(value, bool | list | dict) for value in values
    ):
        return ""
    return f"; names of digits stand in quotes: {[str(value) for value in values]!r}"


@dataclass(frozen=True)
class Number:
    """One number from `low` to `high`, in `unit`; `whole` where fractions mean nothing."""

    meaning: str
    unit: str
    low: float
    high: float
    whole: bool = False

    @property
    def wanted(self) -> str:
        """The rule in words."""
        kind = "whole number" if self.whole else "number"
        return f"a {kind} from {self.low:g} to {self.high:g}{_in(self.unit)}"

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        fits = _is_whole(value) if self.whole else _is_number(value)
        if fits and self.low <= value <= self.high:  # type: ignore[operator]
            return None
        percent = fits and self.high <= 1 and self.low <= value / 100 <= self.high  # type: ignore[operator]
        meant = f"; {value} % is {value / 100:g}" if percent else ""  # type: ignore[operator]
        return f"expected {self.wanted}, got {value!r}{_written(value)}{meant}"


@dataclass(frozen=True)
class Span:
    """Two numbers [from, to] between `low` and `high`, in `unit`, in rising order."""

    meaning: str
    unit: str
    low: float
    high: float
    whole: bool = False

    @property
    def wanted(self) -> str:
        """The rule in words."""
        kind = "whole numbers" if self.whole else "numbers"
        ends = f"between {self.low:g} and {self.high:g}{_in(self.unit)}"
        return f"two rising {kind} [from, to] {ends}"

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        shown = list(value) if isinstance(value, tuple) else value
        if not isinstance(value, tuple | list):
            return f"expected {self.wanted}, got {shown!r}"
        fits = _is_whole if self.whole else _is_number
        if len(value) != 2 or not all(fits(end) and self.low <= end <= self.high for end in value):
            return f"expected {self.wanted}, got {shown!r}{_written_ends(value)}"
        if value[0] > value[1]:
            return f"expected {self.wanted}, got {shown!r}; turn it round: [{value[1]}, {value[0]}]"
        return None


@dataclass(frozen=True)
class Switch:
    """True or false."""

    meaning: str
    unit: str = ""

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        return None if isinstance(value, bool) else f"expected true or false, got {value!r}"


@dataclass(frozen=True)
class Choice:
    """One word of several."""

    meaning: str
    options: tuple[str, ...]
    unit: str = ""

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        if value in self.options:
            return None
        near = nearest(value, self.options, listed=True)
        return f"expected {' or '.join(self.options)}, got {value!r}{near}"


@dataclass(frozen=True)
class ChannelName:
    """The name of one channel (or None where it may be left out)."""

    meaning: str
    unit: str = ""

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        if value is None or (isinstance(value, str) and value):
            return None
        return f"expected the name of one channel, got {value!r}"


@dataclass(frozen=True)
class Texts:
    """Free text, or a list of names (or None for all)."""

    meaning: str
    many: bool
    unit: str = ""

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, or None."""
        if not self.many:
            return None if isinstance(value, str) else f"expected text, got {value!r}"
        if value is None:
            return None
        if not isinstance(value, tuple | list):
            return f"expected a list of channel names, got {value!r}; write [{value}]"
        if not value or not all(isinstance(name, str) and name for name in value):
            return f"expected a list of channel names, got {list(value)!r}{quoted(value)}"
        if len(set(value)) < len(value):
            return f"expected every channel once, got {list(value)!r}"
        return None


def _in(unit: str) -> str:
    """Put a unit behind a number."""
    return f" {unit}" if unit else ""


def _declare(rule: Rule, default: Any) -> Any:
    """Make a dataclass field that carries its rule; without a default it must be given."""
    metadata = {"rule": rule}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def number(
    meaning: str,
    default: Any = ...,
    *,
    unit: str = "",
    low: float = 0.0,
    high: float,
    whole: bool = False,
) -> Any:
    """Declare a field that holds one number."""
    return _declare(Number(meaning, unit, low, high, whole), default)


def span(
    meaning: str,
    default: Any = ...,
    *,
    unit: str = "",
    low: float = 0.0,
    high: float,
    whole: bool = False,
) -> Any:
    """Declare a field that holds a range [from, to]."""
    return _declare(Span(meaning, unit, low, high, whole), default)


def choice(meaning: str, options: tuple[str, ...], default: Any = ...) -> Any:
    """Declare a field that holds one word of several."""
    return _declare(Choice(meaning, options), default)


def channel_name(meaning: str, default: Any = ...) -> Any:
    """Declare a field that names one channel."""
    return _declare(ChannelName(meaning), default)


def switch(meaning: str, default: Any = ...) -> Any:
    """Declare a field that is true or false."""
    return _declare(Switch(meaning), default)


def texts(meaning: str, default: Any = ..., *, many: bool = False) -> Any:
    """Declare a field that holds text, or with `many` a list of names."""
    return _declare(Texts(meaning, many), default)
