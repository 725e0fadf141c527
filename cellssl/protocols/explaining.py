"""What pydantic finds wrong, in a microscopist's words."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cellssl.documents import Place
from cellssl.errors import likely, nearest
from cellssl.protocols.editing import EDITS
from cellssl.protocols.protocol import Crop, LabelsUsed, Positives, Protocol, ScalingRule
from cellssl.training.settings import TrainingSettings

_MODELS: dict[Place, type[BaseModel]] = {
    (): Protocol,
    ("crop",): Crop,
    ("crop", "scaling"): ScalingRule,
    ("positives",): Positives,
    ("labels_used",): LabelsUsed,
    ("training",): TrainingSettings,
}
_ONLY_IN_FILES = ("extends", *EDITS)
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}


def explain(items: Sequence[ErrorDetails]) -> list[tuple[Place, str]]:
    """Say what is wrong, and where: the place of each value, as near as it is known.

    A key that is missing since it is misspelt is one mistake, and not two.
    """
    unknown = [tuple(item["loc"]) for item in items if item["type"] == "extra_forbidden"]
    meant = {(*place[:-1], likely(place[-1], _keys(place[:-1]))) for place in unknown}
    return [
        _explain_one(item)
        for item in items
        if item["type"] != "missing" or tuple(item["loc"]) not in meant
    ]


def _fields(block: Place) -> Mapping[str, FieldInfo]:
    """Give the fields of a block's model; none for what is no block."""
    return _MODELS[block].model_fields if block in _MODELS else {}


def _keys(block: Place) -> list[str]:
    """List the keys that a block of a file may have."""
    return [*_fields(block), *(() if block else _ONLY_IN_FILES)]


def _explain_one(item: ErrorDetails) -> tuple[Place, str]:
    """Say what is wrong with one value, and where."""
    place, kind = tuple(item["loc"]), item["type"]
    key = str(place[-1]) if place else ""
    block = str(place[-2]) if len(place) > 1 else "a protocol"
    if kind == "extra_forbidden":
        return place, f"unknown key {key!r} of {block}{nearest(key, _keys(place[:-1]))}"
    if kind == "missing":
        field = _fields(place[:-1]).get(key)
        meaning = None if field is None else field.description
        return place, f"{block} needs the key {key!r}" + (f" ({meaning})" if meaning else "")
    got = shown(item["input"])
    if kind == "literal_error":
        words = _words(item["ctx"]["expected"])
        near = nearest(item["input"], words, listed=True) if len(words) > 1 else ""
        return place, f"{key}: expected {' or '.join(words)}, got {got}{near}"
    if place[:-1] == ("groups",) and kind in _KINDS:
        edits = ", ".join(f"{edit}:" for edit in EDITS)
        return place, f"{key}: expected how this group differs from views ({edits}), got {got}"
    if kind in _KINDS:
        plain = kind == "string_type" and isinstance(item["input"], int | float)
        mend = "; in quotes it is text" if plain else ""
        return place, f"{key}: expected {_KINDS[kind]}, got {got}{mend}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return _of_block(place, message)
    return place, f"{key}: expected {message}, got {got}"


def _of_block(place: Place, message: str) -> tuple[Place, str]:
    """Find the key that a block's own error begins with; any other gets its key in front."""
    first = message.split(":")[0]
    if first in _fields(place):
        return (*place, first), message
    return place, led(str(place[-1]) if place else "", message)


def led(key: str, message: str) -> str:
    """Put the key before the message, unless the message begins with what is unknown."""
    return message if message.startswith("unknown key") or not key else f"{key}: {message}"


def _words(expected: str) -> list[str]:
    """Take pydantic's "'a', 'b' or 'c'" apart."""
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def shown(value: object) -> str:
    """Show what was got, shortly."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"keys and values ({', '.join(map(str, value))})"[:80]
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
