"""Several groups of views for one encoder, each as it differs from the protocol's own views."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from cellssl.documents import Note, Place
from cellssl.protocols.editing import EDITS, edit_operations, operation_names, trace
from cellssl.protocols.edits import read_edits
from cellssl.protocols.protocol import Protocol

_NAME = re.compile(r"[\w-]+")
_MODULES = nn.ModuleDict()  # what a group's head lies in, under the group's name


def group_values(protocol: Protocol) -> dict[str, dict[str, Any]]:
    """Give the plain values of each group as a protocol of its own, named ``protocol:group``.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> list(group_values(load("bbbc021-two-heads")))
    ['expert', 'geometry']
    """
    there = operation_names(protocol.to_dict())
    edits = {n: read_edits(e, there, _refuse) for n, e in protocol.groups.items()}
    return {name: _edited(protocol, name, one)[0] for name, one in edits.items()}


def read_groups(protocol: Protocol, note: Note) -> Iterator[tuple[dict[str, Any], Note]]:
    """Read `groups:`; give the values of each, and what notes a problem of them at its place."""
    if len(protocol.groups) < 2:
        note(("groups",), "groups: one group is what `views` say; name two or more, or none")
    training = protocol.training
    if training.divide_batch and training.batch_size % len(protocol.groups):
        note(
            ("training", "batch_size"),
            f"batch_size: {training.batch_size} cells cannot be divided among "
            f"{len(protocol.groups)} groups; take a multiple, or divide_batch: false",
        )
    there = operation_names(protocol.to_dict())
    for name, edits in protocol.groups.items():
        if not _NAME.fullmatch(name):
            problem = f"{name!r} cannot name a group; take letters, digits, - and _"
            note(("groups", name), f"groups: {problem}")
        elif hasattr(_MODULES, name):
            problem = f"{name!r} is torch's own word and cannot name a group; take another"
            note(("groups", name), f"groups: {problem}")
        yield _read_group(protocol, name, edits, there, note)


def _read_group(
    protocol: Protocol, name: str, edits: Mapping[str, Any], there: list[str], note: Note
) -> tuple[dict[str, Any], Note]:
    """Give the values of one group, and what notes a problem of them at its place."""

    def note_inside(place: Place, text: str) -> None:
        note(("groups", name, *place), text)

    for key in set(edits) - set(EDITS):
        note_inside((key,), f"unknown key {key!r} of a group; there are {', '.join(EDITS)}")
    values, origins = _edited(protocol, name, read_edits(edits, there, note_inside))

    def note_edited(place: Place, text: str) -> None:
        if (origin := trace(place, origins)) != place:  # all else was found in `views` already
            note_inside(origin, text)

    return values, note_edited


def _edited(
    protocol: Protocol, name: str, edits: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[Place, Place]]:
    """Give a group's plain values, and where its edits stand."""
    values = {key: value for key, value in protocol.to_dict().items() if key != "groups"}
    return edit_operations({**values, "name": f"{protocol.name}:{name}"}, **edits)


def _refuse(place: Place, message: str) -> None:
    """Fail: a protocol's groups were read before."""
    raise AssertionError(f"{place}: {message}")
