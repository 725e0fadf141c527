"""Protocol files: found by name or path, read, and written back fully resolved."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from cellssl.documents import Document, Dumper, Note, read_file, read_yaml
from cellssl.errors import ProtocolError
from cellssl.nested import as_json
from cellssl.protocols.inheriting import inherit
from cellssl.protocols.migrating import migrate, version_problem
from cellssl.protocols.parsing import parse
from cellssl.protocols.protocol import VERSION, Protocol
from cellssl.shipped import protocol_file

_LOG = logging.getLogger(__name__)


def load(name: str | Path) -> Protocol:
    """Read a protocol that comes with cellssl, by name, or any other, by path.

    Raises
    ------
    ProtocolError
        When there is none, or with one line ``file:line: what is wrong`` for each mistake in it.

    Examples
    --------
    >>> load("natural-simclr").training.method
    'simclr'
    """
    return _load(protocol_file(name), ())


def loads(text: str, *, source: str = "protocol") -> Protocol:
    """Read a protocol from YAML text; `source` stands for the file in messages.

    A path that it extends is looked for from the working directory.

    Raises
    ------
    ProtocolError
        With one line ``source:line: what is wrong`` for each mistake.
    """
    return _read(text, source, Path(), ())


def _load(path: Path, chain: Sequence[Path]) -> Protocol:
    """Read a file; `chain` are the files that extend it, the outermost first."""
    text = read_file(path, "protocol", error=ProtocolError)
    return _read(text, str(path), path.parent, (*chain, path))


def _read(text: str, source: str, folder: Path, chain: Sequence[Path]) -> Protocol:
    """Read YAML text: today's version of it, over its base, checked."""
    document = read_yaml(text)
    if document.value is None and not document.problems:
        document.add((), "the file is empty")
    protocol, values = None, document.value
    note: Note = document.add
    if isinstance(values, Mapping):
        values = _migrated(values, document, source)
    if isinstance(values, Mapping) and "extends" in values:
        base = _base(values["extends"], document, folder, chain)
        values, note = inherit(base, values, document) if base else (None, note)
    if values is not None:
        protocol = parse(values, note)
    if protocol is None or document.problems:
        raise ProtocolError(document.listed(source))
    return protocol


def _migrated(values: Mapping[str, Any], document: Document, source: str) -> dict[str, Any] | None:
    """Bring values to today's version and say what changed; None for a later version's."""
    problem = version_problem(values)
    if problem is not None:
        document.add(("version",), problem)
        if "newer" in problem:
            return None
        values = {**values, "version": VERSION}
    migrated, changes = migrate(values)
    for change in changes:
        document.move(change.place, change.now)
        _LOG.info("%s:%d: %s", source, document.line(change.place), change.text)
    return migrated


def _base(name: object, document: Document, folder: Path, chain: Sequence[Path]) -> Protocol | None:
    """Read the protocol that a file extends; note where there is none, or a circle."""
    if not isinstance(name, str) or not name:
        message = f"extends: expected a protocol's name or file, got {name!r}"
        document.add(("extends",), message)
        return None
    try:
        path = protocol_file(name, folder)
    except ProtocolError as error:
        document.add(("extends",), f"extends: {error}")
        return None
    if path.resolve() in [file.resolve() for file in chain]:
        circle = " → ".join(map(str, [*chain, path]))
        document.add(("extends",), f"extends: goes in a circle: {circle}; end it in one of them")
        return None
    return _load(path, chain)


def from_dict(values: Mapping[str, Any], *, source: str = "protocol") -> Protocol:
    """Make a protocol of plain values, such as a checkpoint's, of any version.

    Raises
    ------
    ProtocolError
        With one line for each mistake.
    """
    if isinstance(values, Mapping):
        problem = version_problem(values)
        if problem is not None:
            raise ProtocolError(f"{source}: {problem}")
        values, _ = migrate(values)
    found: list[str] = []
    protocol = parse(
        values,
        lambda place, message: found.append(f"{source} {'.'.join(map(str, place))}: {message}"),
    )
    if protocol is None:
        raise ProtocolError("\n".join(found))
    return protocol


def extend(
    base: Protocol | str | Path, values: Mapping[str, Any], *, source: str = "protocol"
) -> Protocol:
    """Make the protocol that extends another, its name or its file by plain values, as ``extends:`` does in a file.

    Raises
    ------
    ProtocolError
        With one line for each mistake.

    Examples
    --------
    >>> quiet = extend("bbbc021-expert", {"name": "quiet", "remove": ["read_noise"]})
    >>> [operation.name for operation in quiet.views[0].operations][-1]
    'defocus'
    """
    base = base if isinstance(base, Protocol) else load(base)
    document = read_yaml(yaml.dump(as_json(values), Dumper=Dumper, sort_keys=False))
    own = {"version": VERSION, **document.value, "extends": base.name}
    merged, note = inherit(base, own, document)
    protocol = parse(merged, note)
    if protocol is None or document.problems:
        told = dict.fromkeys(problem.message for problem in sorted(document.problems))
        raise ProtocolError("\n".join(f"{source}: {message}" for message in told))
    return protocol


def dump(protocol: Protocol) -> str:
    """Write a protocol as YAML, every default resolved; `loads` reads it back equal.

    Examples
    --------
    >>> loads(dump(load("bbbc021-expert"))) == load("bbbc021-expert")
    True
    """
    return yaml.dump(
        protocol.to_dict(),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
