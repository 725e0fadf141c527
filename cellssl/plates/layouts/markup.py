"""XML as microscopes write it, read record by record; document types and entities are refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cellssl.errors import PlateError

_BLOCK = 1 << 20  # bytes read at a time
_DEEPEST = 200  # elements inside each other


class MarkupError(PlateError):
    """A document is damaged, or does not say what it should."""


class UnsafeMarkupError(PlateError):
    """A document is not of the harmless kind: nothing is read in its place."""


@dataclass
class Record:
    """One element: its attributes, and the texts of the elements right inside it, by bare names."""

    name: str
    values: dict[str, str]
    text: str = ""

    def __getitem__(self, key: str) -> str:
        return self.values[key]

    def get(self, key: str, default: str = "") -> str:
        """Give an attribute or an inner element's text."""
        return self.values.get(key, default)


class _Refusing:
    """A parser's target without document types: entities (bombs, other files) need one."""

    def doctype(self, *_: str | None) -> None:
        raise UnsafeMarkupError(
            "has a document type (<!DOCTYPE …>), which no microscope writes and which can hide "
            "entities that fill the memory or read other files"
        )


class _Records(_Refusing):
    """Collects the elements of some names, each when it ends."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._open: list[Record | None] = []
        self._text: list[str] = []
        self.done: list[Record] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _bare(tag)
        if len(self._open) > _DEEPEST:
            raise UnsafeMarkupError(f"has elements more than {_DEEPEST} deep")
        values = {_bare(key): value for key, value in attributes.items()}
        self._open.append(Record(name, values) if name in self._names else None)
        self._text = []

    def data(self, text: str) -> None:
        self._text.append(text)

    def end(self, tag: str) -> None:
        record, text = self._open.pop(), "".join(self._text).strip()
        self._text = []
        if record is not None:
            record.text = text
            self.done.append(record)
        elif self._open and self._open[-1] is not None:
            self._open[-1].values.setdefault(_bare(tag), text)

    def close(self) -> None:
        pass


class _Tree(_Refusing, ElementTree.TreeBuilder):
    """Builds a tree whose elements and attributes have bare names."""

    def start(self, tag: Any, attrs: Any) -> Any:
        return super().start(_bare(tag), {_bare(key): value for key, value in attrs.items()})

    def end(self, tag: Any) -> Any:
        return super().end(_bare(tag))


def records(path: Path, *names: str) -> Iterator[Record]:
    """Read the elements of these names one after the other, in bounded memory.

    Raises
    ------
    MarkupError
        When the document is truncated or otherwise damaged.
    UnsafeMarkupError
        When it has a document type, or is nested too deep.
    """
    target = _Records(frozenset(names))
    parser = ElementTree.XMLParser(target=target)  # noqa: S314 - the target refuses what is unsafe
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                parser.feed(block)
                yield from target.done
                target.done.clear()
        parser.close()
        yield from target.done
    except UnsafeMarkupError as error:
        raise UnsafeMarkupError(f"{path} {error}.") from error
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise MarkupError(f"{path} is truncated or damaged ({error}).") from error
    except OSError as error:
        raise MarkupError(f"{path} cannot be read: {error.strerror or error}.") from error


def parse(text: str) -> ElementTree.Element:
    """Read a small document whole, with bare names.

    Raises
    ------
    MarkupError, UnsafeMarkupError
        As `records`.
    """
    try:
        parser = ElementTree.XMLParser(target=_Tree())  # noqa: S314
        parser.feed(text)
        return parser.close()
    except UnsafeMarkupError:
        raise
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise MarkupError(f"is truncated or damaged ({error})") from error


def _bare(tag: str) -> str:
    """Take the name space off."""
    return tag.rpartition("}")[2]
