"""Plain values → `Protocol`: everything that is wrong is found at once, each with its place."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from cellssl import encoders, methods
from cellssl.documents import Note, Place
from cellssl.errors import nearest
from cellssl.protocols.editing import EDITS
from cellssl.protocols.explaining import explain, shown
from cellssl.protocols.grouping import read_groups
from cellssl.protocols.protocol import SMALLEST, Positives, Protocol
from cellssl.protocols.recipes import read_recipes

_WORDS = get_args(Positives.model_fields["kind"].annotation)


def parse(value: object, report: Note) -> Protocol | None:
    """Make a protocol of plain values of today's version.

    Parameters
    ----------
    value
        What a YAML file (with its base, if it extends one), or a checkpoint, holds.
    report
        Told of everything that is wrong.

    Returns
    -------
    Protocol or None
        None when anything was reported.
    """
    if not isinstance(value, Mapping):
        report((), f"expected keys and values (name: …, views: …), got {shown(value)}")
        return None
    found = []

    def note(place: Place, message: str) -> None:
        found.append(place)
        report(place, message)

    plain = _without_base(value, note)
    if "views" in plain:
        plain["views"] = read_recipes(plain["views"], _crop_size(plain), note)
    if "positives" in plain:
        plain["positives"] = _positives(plain["positives"], note)
    _names(value, note)
    try:
        protocol = Protocol.model_validate(plain, strict=True)
    except ValidationError as error:
        for place, message in explain(error.errors(include_url=False)):
            if place not in found:  # said already, and better
                note(place, message)
        return None
    _channels(protocol, value["views"], note)
    _sizes(protocol, note)
    if protocol.groups and not found:
        for one, tell in read_groups(protocol, note):
            parse(one, tell)
    return None if found else protocol


def _without_base(value: Mapping[str, Any], note: Note) -> dict[str, Any]:
    """Refuse what only a file that extends another can say."""
    if "extends" in value:
        note(
            ("extends",),
            "extends: works in protocol files only; in Python `protocols.extend` does it",
        )
    for key in EDITS:
        if key in value and "extends" not in value:
            note((key,), f"{key} edits inherited operations; it goes with extends: only")
    return {key: item for key, item in value.items() if key not in ("extends", *EDITS)}


def _crop_size(value: Mapping[str, Any]) -> int | None:
    """Give crop.size where it is right."""
    crop = value.get("crop")
    size = crop.get("size") if isinstance(crop, Mapping) else None
    return size if type(size) is int and size >= SMALLEST else None


def _positives(value: object, note: Note) -> object:
    """Turn the short form, one word, into the long one."""
    if isinstance(value, Mapping | Positives):
        return value
    if value in _WORDS:
        return {"kind": value}
    near = nearest(value, _WORDS, listed=True)
    note(
        ("positives",),
        f"positives: expected {' or '.join(_WORDS)}, or keys and values (kind: …), got "
        f"{shown(value)}{near}",
    )
    return {"kind": _WORDS[0]}


def _names(value: Mapping[str, Any], note: Note) -> None:
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
    known_methods = methods.names(labelled=True)
    if method not in known_methods:
        note(("training", "method"), f"unknown method {method!r}{nearest(method, known_methods)}")
        return
    options, known = training.get("method_options"), methods.option_names(method)
    if not isinstance(options, Mapping):
        return
    place: Place = ("training", "method_options")
    unknown = [option for option in options if option not in known]
    for option in unknown:
        note((*place, option), f"unknown option {option!r} of {method}{nearest(option, known)}")
    if not unknown and (problem := methods.option_problem(method, options)):
        note((*place, problem.split(":")[0]), problem)


def _sizes(protocol: Protocol, note: Note) -> None:
    """Make sure that the encoder can look at every view."""
    name, least = protocol.training.encoder, encoders.smallest_image(protocol.training.encoder)
    smallest = min((recipe.size or protocol.crop.size for recipe in protocol.views), default=least)
    if smallest < least:
        note(
            ("training", "encoder"),
            f"encoder: {name} needs views of {least} px or more, the smallest has {smallest} px; "
            "take a ResNet, or larger views",
        )


def _channels(protocol: Protocol, views: list[Any], note: Note) -> None:
    """Make sure that operations name channels of the protocol only."""
    for place, channels in _named_channels(protocol, views):
        if protocol.channels == "any":
            note(place, "an operation can name channels only where the protocol lists its own")
            continue
        for channel in channels:
            if channel not in protocol.channels:
                near = nearest(channel, protocol.channels)
                note(place, f"channel {channel!r} is not one of the protocol's{near}")


def _named_channels(
    protocol: Protocol, views: list[Any]
) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """Give the channels that operations name, and where they do."""
    for index, recipe in enumerate(protocol.views):
        inner: Place = ("operations",) if isinstance(views[index], Mapping) else ()
        for number, operation in enumerate(recipe.operations):
            for key, channels in operation.named_channels().items():
                yield ("views", index, *inner, number, operation.name, key), channels
