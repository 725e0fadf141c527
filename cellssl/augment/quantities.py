"""What the values of an operation mean: unit, range and meaning, stated once."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cellssl.errors import nearest

_WRITTEN = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(?P<unit>[^\W\d_]*|[%°])\s*"
)

Schema = dict[str, Any]
NAMES: Schema = {  # of channels or columns, each once
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "uniqueItems": True,
}


@dataclass(frozen=True)
class Rule(ABC):
    """What a field of an operation may hold: what the value is, and what it is counted in, or ""."""

    meaning: str
    unit: str = field(default="", kw_only=True)

    @abstractmethod
    def problem(self, value: object) -> str | None:
        """Say what was got and what was wanted, or None where `value` is fine."""

    @abstractmethod
    def allowed(self) -> str:
        """Say what may be written."""

    @abstractmethod
    def schema(self) -> Schema:
        """Give the JSON Schema of what may be written."""

    def unit_beside(self, key: str) -> str:
        """Give the unit, or "" where the field's name says it: degrees."""
        return "" if self.unit == key else self.unit


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


@dataclass(frozen=True, kw_only=True)
class _Bounded(Rule):
    """Numbers from `low` to `high`, in `unit`; `whole` where fractions mean nothing."""

    low: float = 0.0
    high: float
    whole: bool = False

    @property
    def kind(self) -> str:
        """What sort of number."""
        return "whole number" if self.whole else "number"

    @property
    def most(self) -> str:
        """The upper end with its unit."""
        return f"{self.high:g} {self.unit}".rstrip()

    def fits(self, value: Any) -> bool:
        """Whether a value is such a number."""
        right = _is_whole if self.whole else _is_number
        return right(value) and self.low <= value <= self.high

    def allowed(self) -> str:
        return f"{self.low:g} to {self.most}"

    def schema(self) -> Schema:
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.low, "maximum": self.high}


class Number(_Bounded):
    """One number."""

    def problem(self, value: Any) -> str | None:
        if self.fits(value):
            return None
        percent = _is_number(value) and self.high <= 1 and self.low <= value / 100 <= self.high
        meant = f"; {value} % is {value / 100:g}" if percent else _written(value)
        return f"expected a {self.kind} from {self.low:g} to {self.most}, got {value!r}{meant}"


class Span(_Bounded):
    """Two numbers [from, to], in rising order."""

    def problem(self, value: object) -> str | None:
        shown = list(value) if isinstance(value, tuple) else value
        wanted = f"two rising {self.kind}s [from, to] between {self.low:g} and {self.most}"
        if not isinstance(value, tuple | list):
            return f"expected {wanted}, got {shown!r}"
        if len(value) != 2 or not all(map(self.fits, value)):
            return f"expected {wanted}, got {shown!r}{_written_ends(value)}"
        if value[0] > value[1]:
            return f"expected {wanted}, got {shown!r}; turn it round: [{value[1]}, {value[0]}]"
        return None

    def allowed(self) -> str:
        return f"[from, to] within {super().allowed()}"

    def schema(self) -> Schema:
        return {"type": "array", "items": super().schema(), "minItems": 2, "maxItems": 2}


class Switch(Rule):
    """True or false."""

    def problem(self, value: object) -> str | None:
        return None if isinstance(value, bool) else f"expected true or false, got {value!r}"

    def allowed(self) -> str:
        return "true or false"

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Choice(Rule):
    """One word of several."""

    options: tuple[str, ...]

    def problem(self, value: object) -> str | None:
        if value in self.options:
            return None
        near = nearest(value, self.options, listed=True)
        return f"expected {self.allowed()}, got {value!r}{near}"

    def allowed(self) -> str:
        return " or ".join(self.options)

    def schema(self) -> Schema:
        return {"enum": list(self.options)}


class ChannelName(Rule):
    """The name of one channel (or None where it may be left out)."""

    def problem(self, value: object) -> str | None:
        if value is None or (isinstance(value, str) and value):
            return None
        return f"expected the name of one channel, got {value!r}"

    def allowed(self) -> str:
        return "a channel's name"

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


class ChannelNames(Rule):
    """Names of channels (or None for all)."""

    def problem(self, value: object) -> str | None:
        if value is None:
            return None
        if not isinstance(value, tuple | list):
            return f"expected a list of channel names, got {value!r}; write [{value}]"
        if not value or not all(isinstance(name, str) and name for name in value):
            return f"expected a list of channel names, got {list(value)!r}{quoted(value)}"
        if len(set(value)) < len(value):
            return f"expected every channel once, got {list(value)!r}"
        return None

    def allowed(self) -> str:
        return "[channel, …]"

    def schema(self) -> Schema:
        return NAMES


class Text(Rule):
    """Free text."""

    def problem(self, value: object) -> str | None:
        return None if isinstance(value, str) else f"expected text, got {value!r}"

    def allowed(self) -> str:
        return "text"

    def schema(self) -> Schema:
        return {"type": "string"}


def _declare(rule: Rule, default: Any) -> Any:
    """Make a dataclass field that carries its rule; without a default it must be given."""
    metadata = {"rule": rule}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def number(meaning: str, default: Any = ..., **bounds: Any) -> Any:
    """Declare a field that holds one number: `high`, and unless they are as usual `unit`, `low`, `whole`."""
    return _declare(Number(meaning, **bounds), default)


def span(meaning: str, default: Any = ..., **bounds: Any) -> Any:
    """Declare a field that holds a range [from, to]; `bounds` as of `number`."""
    return _declare(Span(meaning, **bounds), default)


def choice(meaning: str, options: tuple[str, ...], default: str) -> Any:
    """Declare a field that holds one word of several."""
    return _declare(Choice(meaning, options), default)


def channel_name(meaning: str) -> Any:
    """Declare a field that may name one channel."""
    return _declare(ChannelName(meaning), None)


def channel_names(meaning: str) -> Any:
    """Declare a field that may name channels."""
    return _declare(ChannelNames(meaning), None)


def switch(meaning: str, default: bool) -> Any:
    """Declare a field that is true or false."""
    return _declare(Switch(meaning), default)


def free_text(meaning: str) -> Any:
    """Declare a field that may hold text."""
    return _declare(Text(meaning), "")
