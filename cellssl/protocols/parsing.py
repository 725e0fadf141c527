"""Plain values → `Protocol`: everything that is wrong is found at once, each with its place."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cellssl import encoders, methods
from cellssl.augment import Operation, Pixel, catalogue, nearest
from cellssl.protocols.protocol import Crop, Protocol, ScalingRule
from cellssl.protocols.reading import Place
from cellssl.training.settings import TrainingSettings

__all__ = ["parse"]

Report = Callable[[Place, str], None]
_MODELS: dict[Place, type[BaseModel]] = {
    (): Protocol,
    ("crop",): Crop,
    ("crop", "scaling"): ScalingRule,
    ("training",): TrainingSettings,
}
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


def parse(value: object, report: Report) -> Protocol | None:
    """Make a protocol of plain values.

    Parameters
    ----------
    value
        What a YAML file, or a checkpoint, holds.
    report
        Called with the place and the text of everything that is wrong.

    Returns
    -------
    Protocol or None
        None when anything was reported.
    """
    if not isinstance(value, Mapping):
        report((), f"expected keys and values (name: …, views: …), got {_shown(value)}")
        return None
    found = []

    def note(place: Place, message: str) -> None:
        found.append(place)
        report(place, message)

    views = _views(value.get("views"), note) if "views" in value else None
    _names(value, note)
    plain = {**value, "views": views or ()} if "views" in value else dict(value)
    try:
        protocol = Protocol.model_validate(plain, strict=True)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            place = tuple(item["loc"])
            if place not in found:  # said already, and better
                note(place, _explain(item))
        return None
    _channels(protocol, note)
    return None if found else protocol


def _views(value: object, note: Report) -> tuple[tuple[Operation, ...], ...]:
    """Read one list of operations, or two."""
    place: Place = ("views",)
    if not isinstance(value, list) or not value:
        note(place, f"expected a list of one or two views, got {_shown(value)}")
        return ()
    if all(isinstance(item, Mapping) for item in value):
        note(
            place,
            "expected a list of one or two views, each a list of operations, got the operations "
            "themselves; begin the first one with '- - '",
        )
        return ()
    if len(value) > 2:
        note(place, f"expected one or two views, got {len(value)}")
    return tuple(_view(view, (*place, index), note) for index, view in enumerate(value))


def _view(value: object, place: Place, note: Report) -> tuple[Operation, ...]:
    """Read a list of operations."""
    if not isinstance(value, list):
        note(place, f"expected a list of operations, got {_shown(value)}")
        return ()
    read = [_operation(item, (*place, index), note) for index, item in enumerate(value)]
    return tuple(operation for operation in read if operation is not None)


def _operation(value: object, place: Place, note: Report) -> Operation | None:
    """Read one ``name: {key: value}``."""
    if isinstance(value, str) and value in catalogue():
        note(place, f"expected an operation with its values, got {value!r}; write {value}: {{}}")
        return None
    if not isinstance(value, Mapping) or not value:
        note(place, f"expected one operation, as in rotate: {{degrees: 180}}, got {_shown(value)}")
        return None
    if len(value) > 1:
        note(
            place,
            f"expected one operation per list item, got {', '.join(value)}; begin each with '- ', "
            "and put its own keys in braces or indent them further",
        )
        return None
    name, given = next(iter(value.items()))
    operation = catalogue().get(name)
    if operation is None:
        note((*place, name), f"unknown operation {name!r}{nearest(name, catalogue())}")
        return None
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        note((*place, name), f"expected keys and values for {name}, got {_shown(given)}")
        return None
    problems = operation.problems(given)
    for key, message in problems:
        where = (*place, name, key) if key in given else (*place, name)
        note(where, message if key not in given else _led(key, message))
    return None if problems else operation(**given)


def _names(value: Mapping[str, Any], note: Report) -> None:
    """Look up the method, its options and the encoder."""
    training = value.get("training")
    if not isinstance(training, Mapping):
        return
    method, encoder = training.get("method"), training.get("encoder")
    if isinstance(encoder, str) and encoder not in encoders.names():
        note(
            ("training", "encoder"),
            f"unknown encoder {encoder!r}{nearest(encoder, encoders.names())}",
        )
    if not isinstance(method, str):
        return
    if method not in methods.names():
        note(("training", "method"), f"unknown method {method!r}{nearest(method, methods.names())}")
        return
    options = training.get("method_options")
    for option in options if isinstance(options, Mapping) else ():
        known = methods.option_names(method)
        if option not in known:
            note(
                ("training", "method_options", option),
                f"unknown option {option!r} of {method}{nearest(option, known)}",
            )


def _channels(protocol: Protocol, note: Report) -> None:
    """Make sure that operations name channels of the protocol only."""
    for index, view in enumerate(protocol.views):
        for number, operation in enumerate(view):
            if not isinstance(operation, Pixel) or operation.channels is None:
                continue
            place: Place = ("views", index, number, operation.name, "channels")
            if protocol.channels == "any":
                note(place, "an operation can name channels only where the protocol lists its own")
                continue
            for channel in operation.channels:
                if channel not in protocol.channels:
                    near = nearest(channel, protocol.channels)
                    note(place, f"channel {channel!r} is not one of the protocol's{near}")


def _explain(item: ErrorDetails) -> str:
    """Say in a microscopist's words what pydantic found."""
    place, kind = tuple(item["loc"]), item["type"]
    key = str(place[-1]) if place else ""
    fields = _MODELS[place[:-1]].model_fields if place[:-1] in _MODELS and place else {}
    block = str(place[-2]) if len(place) > 1 else "a protocol"
    if kind == "extra_forbidden":
        return f"unknown key {key!r} of {block}{nearest(key, fields)}"
    if kind == "missing":
        meaning = fields[key].description if key in fields else None
        return f"{block} needs the key {key!r}" + (f" ({meaning})" if meaning else "")
    got = _shown(item["input"])
    if kind == "literal_error":
        words = _words(item["ctx"]["expected"])
        near = nearest(str(item["input"]), words) if len(words) > 1 else ""
        return f"{key}: expected {' or '.join(words)}, got {got}{near if 'mean' in near else ''}"
    if kind in _KINDS:
        return f"{key}: expected {_KINDS[kind]}, got {got}"
    message = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if kind == "value_error":
        return message if message.startswith(tuple(_all_keys())) else _led(key, message)
    return f"{key}: expected {message}, got {got}"


def _led(key: str, message: str) -> str:
    """Put the key before the message, unless the message begins with what is unknown."""
    return message if message.startswith("unknown key") or not key else f"{key}: {message}"


def _words(expected: str) -> list[str]:
    """Take pydantic's "'a', 'b' or 'c'" apart."""
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]


def _all_keys() -> Iterable[str]:
    """List the keys of all blocks, for errors of whole blocks that name theirs."""
    return (f"{key}:" for model in _MODELS.values() for key in model.model_fields)


def _shown(value: object) -> str:
    """Show what was got, shortly."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"keys and values ({', '.join(map(str, value))})"[:80]
    text = repr(list(value)) if isinstance(value, tuple) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
