"""A protocol with some values replaced, validated anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cellssl.augment import catalogue
from cellssl.documents import Place, read_yaml
from cellssl.errors import ProtocolError, nearest
from cellssl.nested import as_json
from cellssl.protocols.editing import (
    drop_foreign_options,
    edit_operations,
    operation_lists,
    operation_names,
    trace,
)
from cellssl.protocols.loading import load
from cellssl.protocols.migrating import renamed
from cellssl.protocols.parsing import parse
from cellssl.protocols.protocol import Protocol


def resolve(protocol: Protocol | str | Path, changes: Mapping[str, Any] | None = None) -> Protocol:
    """Read a protocol unless it is one already, and replace values by dotted key.

    Parameters
    ----------
    protocol
        A protocol, the name of one that comes with cellssl, or a file.
    changes
        Dotted key → new value. ``OPERATION.KEY`` changes an operation wherever it stands.

    Raises
    ------
    ProtocolError
        When the protocol or one of the new values is wrong, or a key does not exist.

    Examples
    --------
    >>> resolve("bbbc021-expert", {"training.epochs": 3}).training.epochs
    3
    >>> resolve("bbbc021-expert", {"rotate.degrees": 90}).views[0].operations[0].degrees
    90
    """
    if not isinstance(protocol, Protocol):
        protocol = load(protocol)
    if not changes:
        return protocol
    if not isinstance(changes, Mapping):
        raise ProtocolError(f'changes: wanted {{"training.epochs": 5, …}}, got {changes!r}')
    values = protocol.to_dict()
    # np.int64(5), as of a sweep, is a whole number, too; a block may be another protocol's own.
    changes = {
        key: value if isinstance(value, BaseModel) else as_json(value)
        for key, value in changes.items()
    }
    if any(key.startswith("positives.") for key in changes):  # in full: its parts can be named
        values["positives"] = protocol.positives.model_dump(mode="json")
        if isinstance(changes.get("positives"), str):
            unset = dict.fromkeys(values["positives"])
            changes["positives"] = {**unset, "another_plate": False, "kind": changes["positives"]}
    if isinstance(changes.get("training.method"), str):
        drop_foreign_options(values, changes["training.method"])
    edits: dict[str, dict[str, Any]] = {}
    for key in sorted(changes, key=lambda key: key.count(".")):  # a block before its parts
        value = changes[key]
        name, dot, inner = key.partition(".")
        if dot and name not in values:
            edits.setdefault(_operation(protocol.name, values, key), {})[inner] = value
        else:
            _replace(values, key, value)
    values, origins = edit_operations(values, change=edits)
    found: list[str] = []

    def note(place: Place, message: str) -> None:
        key = ".".join(map(str, trace(place, origins))).removeprefix("change.")
        found.append(f"{protocol.name} with {', '.join(changes)}: {key}: {message}")

    changed = parse(values, note)
    if changed is None:
        raise ProtocolError("\n".join(dict.fromkeys(found)))
    return changed


def _operation(protocol: str, values: Mapping[str, Any], key: str) -> str:
    """Find the operation that a dotted key begins with."""
    name, there = key.partition(".")[0], operation_names(values)
    if name in there:
        return name
    told = renamed(name)
    if told is not None:
        raise ProtocolError(f"{key}: {told}")
    if name in catalogue():
        raise ProtocolError(
            f"{key!r} changes nothing: {protocol} has no operation {name!r}{nearest(name, there)}"
        )
    raise ProtocolError(f"a protocol has no value {key!r}{nearest(key, _keys(values))}")


def _replace(values: dict[str, Any], key: str, value: Any) -> None:
    """Set ``a.b.c`` in nested mappings; views are lists, which only a file can change."""
    *way, last = key.split(".")
    inner: Any = values
    for step in way:
        inner = inner.get(step) if isinstance(inner, dict) else None
    open_ended = bool(way) and way[-1] == "method_options"
    if not isinstance(inner, dict) or (last not in inner and not open_ended):
        raise ProtocolError(f"a protocol has no value {key!r}{nearest(key, _keys(values))}")
    inner[last] = value


def _keys(values: Mapping[str, Any], start: str = "") -> list[str]:
    """List the dotted keys of nested mappings, and of the operations."""
    found = []
    for key, value in values.items():
        inner = isinstance(value, Mapping) and value
        found += _keys(value, f"{start}{key}.") if inner else [f"{start}{key}"]
    for _, items in operation_lists(values):
        found += [f"{name}.{key}" for item in items for name in item for key in item[name]]
    return list(dict.fromkeys(found))


def parse_value(text: str) -> Any:
    """Read one value as a protocol file would: numbers, lists, text.

    Raises
    ------
    ProtocolError
        When it is not YAML.

    Examples
    --------
    >>> parse_value("2e-3"), parse_value("[1, 99]"), parse_value("simclr")
    (0.002, [1, 99], 'simclr')
    """
    document = read_yaml(text)
    if document.problems:
        raise ProtocolError(f"{text!r} is no value: {document.problems[0].message}")
    return document.value
