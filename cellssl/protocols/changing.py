"""A protocol with some values replaced, validated anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellssl.augment import nearest
from cellssl.errors import ProtocolError
from cellssl.protocols.loading import from_dict, load
from cellssl.protocols.protocol import Protocol
from cellssl.protocols.reading import read_yaml

__all__ = ["parse_value", "resolve"]


def resolve(protocol: Protocol | str | Path, changes: Mapping[str, Any] | None = None) -> Protocol:
    """Read a protocol unless it is one already, and replace values by dotted key.

    Parameters
    ----------
    protocol
        A protocol, the name of one that comes with cellssl, or a file.
    changes
        Dotted key → new value.

    Raises
    ------
    ProtocolError
        When the protocol or one of the new values is wrong, or a key does not exist.

    Examples
    --------
    >>> resolve("bbbc021-expert", {"training.epochs": 3}).training.epochs
    3
    """
    if not isinstance(protocol, Protocol):
        protocol = load(protocol)
    if not changes:
        return protocol
    values = protocol.to_dict()
    for key, value in changes.items():
        _replace(values, key, value)
    return from_dict(values, source=f"{protocol.name} with {', '.join(changes)}:")


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
    """List the dotted keys of nested mappings."""
    found = []
    for key, value in values.items():
        inner = isinstance(value, Mapping) and value
        found += _keys(value, f"{start}{key}.") if inner else [f"{start}{key}"]
    return found


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
