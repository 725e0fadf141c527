"""YAML text → plain values, with the line of every one of them.

Only what YAML 1.2's core schema knows is read: text, numbers, true/false, null, lists, mappings. So
``no`` is a channel's name and not False, ``2e-3`` is a number, and no tag can make an object.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cellssl.errors import CellsslError

Place = tuple[str | int, ...]
Note = Callable[[Place, str], None]
"""Called with the place and the text of everything that is wrong, as `Document.add` is."""
_MOST_VALUES = 10_000  # a protocol has some dozens; aliases of aliases can make billions


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, and on which line (from 1)."""

    line: int
    message: str


@dataclass
class Document:
    """What a YAML file says: plain values, the line of each, and what could not be read."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def line(self, place: Place) -> int:
        """Find the line of a value, or of the nearest one around it."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 1

    def add(self, place: Place, message: str) -> None:
        """Note a problem of the value at `place`."""
        self.problems.append(Problem(self.line(place), message))

    def listed(self, source: str) -> str:
        """Write all problems in the order of the file, each once: a line ``source:line: message``."""
        problems = sorted(set(self.problems))
        return "\n".join(f"{source}:{one.line}: {one.message}" for one in problems)

    def move(self, old: Place, new: Place) -> None:
        """Let what stood at `old`, and all inside it, be found at `new` too."""
        inside = {place: line for place, line in self.lines.items() if place[: len(old)] == old}
        self.lines |= {(*new, *place[len(old) :]): line for place, line in inside.items()}


def _float(text: str) -> float:
    """Read YAML's spelling of a float."""
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


_TAG = "tag:yaml.org,2002:"
# Type of a bare scalar → how it is spelt, what it may begin with, what is read of it.
_TYPES: dict[str, tuple[str, list[str], Callable[[str], Any]]] = {
    "null": (r"^(?:~|null|Null|NULL|)$", [*"~nN", ""], lambda _: None),
    "bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"], _bool),
    "int": (r"^[-+]?[0-9]+$", [*"-+0123456789"], int),
    "float": (
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        [*"-+0123456789."],
        _float,
    ),
}
_READ: dict[str, Callable[[str], Any]] = {
    f"{_TAG}{name}": read for name, (_, _, read) in _TYPES.items()
}
_READ[f"{_TAG}str"] = str


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  (PyYAML's own way)


class Dumper(yaml.SafeDumper):
    """Writes what `read_yaml` reads back equal; short lists stay on one line."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012


for _name, (_form, _begins, _) in _TYPES.items():
    for _speaker in (_Loader, Dumper):
        _speaker.add_implicit_resolver(f"{_TAG}{_name}", re.compile(_form), _begins)


def read_file(path: Path, wanted: str, *, error: type[CellsslError]) -> str:
    """Read a file of YAML as text; `wanted` says what it should be, an error is of the kind `error`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror or reason}") from reason
    except UnicodeDecodeError as reason:
        raise error(f"{path}:1: not a text file in UTF-8; is it a {wanted}?") from reason


def read_yaml(text: str) -> Document:
    """Read one YAML document; every mistake becomes a problem of it, none an exception."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        document.problems.append(_mistake(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.problems.append(Problem(line, "not valid YAML: a character that no text may hold"))
    else:
        if node is None:
            document.problems.append(Problem(1, "the file is empty"))
        else:
            document.value = _value(node, (), document, ())
    return document


def _mistake(error: yaml.MarkedYAMLError) -> Problem:
    """Say what a parser stumbled over."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    said = error.problem or str(error)
    if "another document" in said:
        return Problem(line, "a second document begins (---): a file holds one")
    if "\\t" in said:
        said = "a tab stands in the indentation; YAML wants spaces"
    elif "but got ':'" in said or said.startswith("mapping values"):
        said += "; a text that holds a colon or comma stands in quotes"
    return Problem(line, f"not valid YAML: {said}")


def _value(node: yaml.Node, place: Place, document: Document, around: tuple[int, ...]) -> Any:
    """Turn a node into a plain value and note its line."""
    document.lines.setdefault(place, node.start_mark.line + 1)
    document.count += 1
    if id(node) in around or document.count > _MOST_VALUES:
        if document.count <= _MOST_VALUES + 1:
            document.add(place, "an alias (*) repeats itself; write the values out")
        return None
    around = (*around, id(node))
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
        return _mapping(node, place, document, around)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
        return [
            _value(item, (*place, index), document, around) for index, item in enumerate(node.value)
        ]
    if isinstance(node, yaml.ScalarNode) and node.tag in _READ:
        try:
            return _READ[node.tag](node.value)
        except (
            LookupError,
            ValueError,
        ):  # a tag that was written, or more digits than Python reads
            kind = node.tag.removeprefix(_TAG)
            document.add(place, f"expected a value of the type {kind}, got {node.value[:40]!r}")
            return None
    tag = node.tag.replace(_TAG, "!!")
    document.add(place, f"expected plain values, got the tag {tag}; remove it")
    return None


def _mapping(
    node: yaml.MappingNode, place: Place, document: Document, around: tuple[int, ...]
) -> dict[str, Any]:
    """Read a mapping whose keys are text, each there once."""
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = str(key_node.value)
        if not isinstance(key_node, yaml.ScalarNode):
            wrong = "expected text as a key, got a list or mapping"
        elif key == "<<":
            mend = "write its keys out here, or let one file extend another (extends:)"
            wrong = f"YAML's merge key << is not read; {mend}"
        elif key in values:
            first = document.line((*place, key))
            wrong = f"key {key!r} is here twice (first on line {first}); keep one"
        else:
            document.lines[(*place, key)] = line
            values[key] = _value(value_node, (*place, key), document, around)
            continue
        document.problems.append(Problem(line, wrong))
    return values
