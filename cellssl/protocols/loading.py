"""Protocol files: found by name or path, read, and written back fully resolved."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cellssl.augment import nearest
from cellssl.errors import ProtocolError
from cellssl.protocols.parsing import parse
from cellssl.protocols.protocol import Protocol
from cellssl.protocols.reading import Document, Dumper, Problem, read_yaml

__all__ = ["dump", "from_dict", "load", "loads", "names"]


def _folder() -> Path:
    """Find the shipped protocols: inside an installed package, or at the root of a checkout."""
    shipped = Path(__file__).parent / "shipped"
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "protocols"


def names() -> list[str]:
    """List the names of the protocols that come with cellssl.

    Examples
    --------
    >>> "bbbc021-expert" in names()
    True
    """
    return sorted(path.stem for path in _folder().glob("*.yaml"))


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
    path = _find(name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ProtocolError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{path}:1: not a text file in UTF-8; is it a protocol?") from error
    return loads(text, source=str(path))


def _find(name: str | Path) -> Path:
    """Tell a path from a name: an existing file, or anything that looks like a path, is a path."""
    path = Path(name)
    if path.is_file():
        return path
    looks_like_path = path.suffix in (".yaml", ".yml") or os.sep in str(name)
    if isinstance(name, str) and not looks_like_path:
        shipped = _folder() / f"{name}.yaml"
        if shipped.is_file():
            return shipped
        raise ProtocolError(
            f"no protocol is called {name!r}{nearest(name, names())} "
            f"(shipped: {', '.join(names())}; or give the path of a .yaml file)"
        )
    if path.is_dir():
        raise ProtocolError(f"{path} is a folder; give the protocol file in it")
    raise ProtocolError(
        f"{path} does not exist; give a .yaml file, or one of: {', '.join(names())}"
    )


def loads(text: str, *, source: str = "protocol") -> Protocol:
    """Read a protocol from YAML text; `source` stands for the file in messages.

    Raises
    ------
    ProtocolError
        With one line ``source:line: what is wrong`` for each mistake.
    """
    document = read_yaml(text)
    protocol = None
    if document.value is not None:
        protocol = parse(document.value, document.add)
    elif not document.problems:
        document.add((), "the file is empty")
    if protocol is None or document.problems:
        raise ProtocolError(_listed(document, source))
    return protocol


def from_dict(values: Mapping[str, Any], *, source: str = "protocol") -> Protocol:
    """Make a protocol of plain values, such as a checkpoint's.

    Raises
    ------
    ProtocolError
        With one line for each mistake.
    """
    found: list[str] = []
    protocol = parse(
        values,
        lambda place, message: found.append(f"{source} {'.'.join(map(str, place))}: {message}"),
    )
    if protocol is None:
        raise ProtocolError("\n".join(found))
    return protocol


def _listed(document: Document, source: str) -> str:
    """Write all problems in the order of the file, each once."""
    problems: list[Problem] = sorted(set(document.problems))
    return "\n".join(f"{source}:{problem.line}: {problem.message}" for problem in problems)


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
