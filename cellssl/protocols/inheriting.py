"""A protocol that extends another: its own values over those of its base."""

from collections.abc import Mapping
from typing import Any

from cellssl.documents import Document, Note, Place
from cellssl.protocols.editing import (
    EDITS,
    Origins,
    drop_foreign_options,
    edit_operations,
    operation_names,
    trace,
)
from cellssl.protocols.edits import read_edits
from cellssl.protocols.protocol import Protocol

_BLOCKS = ("crop", "scaling", "training", "method_options")
_MERGED = ("crop", "training", "change")  # what a file says of these may be a part only


def inherit(
    base: Protocol, values: Mapping[str, Any], document: Document
) -> tuple[dict[str, Any], Note]:
    """Lay a protocol's own values over those of the base; name and description are its own alone.

    Parameters
    ----------
    base
        The protocol that is extended.
    values
        Plain values of today's version, with ``extends``.
    document
        Where they stand; what is wrong with the edits is noted there.

    Returns
    -------
    dict, Note
        The values together, and what notes a problem of them: at its place in the file, or, where
        the value was inherited, at ``extends:``.
    """
    _check_name(base, values, document)
    own = {key: value for key, value in values.items() if key not in ("extends", *EDITS)}
    merged = _merge(_fitting(base, own), own)
    origins: Origins = {}
    if "views" in values:
        for key in EDITS:
            if key in values:
                document.add((key,), f"{key} edits inherited views, but views are written out here")
    else:
        edits = read_edits(values, operation_names(merged), document.add)
        merged, origins = edit_operations(merged, **edits)

    def note(place: Place, message: str) -> None:
        there = trace(place, origins)
        if there in document.lines or (there[:1] in document.lines and there[0] not in _MERGED):
            document.add(there, message)
        else:
            inherited = f"{message} (inherited from {values['extends']})"
            if len(there) > 1 and there[0] == "groups":
                inherited = f"group {there[1]}: {inherited}; write groups: anew to fit, or groups: {{}} for none"
            document.add(("extends",), inherited)

    return merged, note


def _check_name(base: Protocol, values: Mapping[str, Any], document: Document) -> None:
    """Make sure that two protocols are told apart by their names."""
    if "name" not in values:
        document.add(
            ("extends",), "a protocol that extends another needs a name of its own; write name: …"
        )
    elif values["name"] == base.name:
        document.add(
            ("name",), f"name: {base.name!r} is the name of what it extends; give it its own"
        )


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Replace values by one's own; blocks key by key."""
    merged = {**base, **own}
    for block in _BLOCKS:
        if isinstance(own.get(block), Mapping):
            merged[block] = _merge(base.get(block, {}), own[block])
    return merged


def _fitting(base: Protocol, own: Mapping[str, Any]) -> dict[str, Any]:
    """Give the base's values; under another method without the options that it does not have."""
    values = base.to_dict()
    values.pop("description")  # of the base's cells and purpose: these may be others
    training = own.get("training")
    method = training.get("method") if isinstance(training, Mapping) else None
    if isinstance(method, str):
        drop_foreign_options(values, method)
    return values
