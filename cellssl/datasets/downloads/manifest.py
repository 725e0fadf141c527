"""What a manifest is: where a data set lies, what it must be, and on which terms.

A manifest never holds a checksum that its publisher did not publish. Where there is none, the first
download's SHA-256 is recorded beside the data (`record`) and held against ever after.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cellssl.errors import DataError, nearest

VERSION: Literal[1] = 1  # of the file's format
# A file's or folder's name that is safe anywhere.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_OURS = {"checksums.json"}  # what `get` itself writes beside the data


def _as_tuple(value: object) -> object:
    """Accept a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _address(value: str) -> str:
    """Accept an address that a browser would open, without a name and password in it."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"expected an address https://…, got {value!r}")
    return value


def _safe_name(value: str) -> str:
    """Accept a name that stays in its folder on every system."""
    if not _PLAIN.fullmatch(value) or value in _OURS:
        raise ValueError(
            f"expected a name of letters, digits, '_', '-', '.', '+' (and not {', '.join(_OURS)}), got {value!r}"
        )
    return value


def _checksum(value: str) -> str:
    """Accept ``md5:…`` and ``sha256:…`` in small letters; of a SHA-256, its beginning too."""
    if not re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{8,64}", value):
        raise ValueError(
            "expected md5: and 32 digits (0-9, a-f), or sha256: and 64 or the first 8 and more that "
            f"were published, got {value!r}"
        )
    return value


Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(_safe_name)]
Text = Annotated[str, Field(min_length=1)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Licence(_Block):
    """On which terms the data may be used."""

    name: Text = Field(description="the licence, or what the publisher says of use")
    address: Address = Field(description="where that is written")


class File(_Block):
    """One file to download."""

    addresses: Annotated[tuple[Address, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (
        Field(description="where it lies; the next is tried where one fails")
    )
    name: Name = Field("", description="its name on disk; the end of the first address by default")
    size: Annotated[int, Field(gt=0)] | None = Field(None, description="bytes, where known")
    checksum: Annotated[str, AfterValidator(_checksum)] | None = Field(
        None, description="as published: md5:… or sha256:…; left out where none is"
    )
    unpack: Name | None = Field(None, description="the folder that an archive becomes")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        """Take the name from the address where none is given."""
        if isinstance(values, dict) and "name" not in values:
            addresses = values.get("addresses")
            if isinstance(addresses, list | tuple) and addresses and isinstance(addresses[0], str):
                path = PurePosixPath(unquote(urlsplit(addresses[0]).path))
                return {**values, "name": path.name}
        return values

    @property
    def algorithm(self) -> str | None:
        """How the published checksum is made: "md5", "sha256" or None."""
        return self.checksum.split(":")[0] if self.checksum else None

    @property
    def digits(self) -> str:
        """The published checksum without its algorithm, possibly only its beginning."""
        return self.checksum.split(":")[1] if self.checksum else ""


class Manifest(_Block):
    """One data set: its parts, each a few files, with licence and citation.

    Made by `load_manifest`, never changed afterwards.

    Examples
    --------
    >>> from cellssl.datasets import load_manifest
    >>> mnist = load_manifest("mnist")
    >>> [file.name for file in mnist.files()][:2]
    ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz']
    """

    version: Literal[1] = Field(description="version of the file's format")
    name: Name = Field(description="the data set's name, which is the manifest's too")
    title: Text = Field(description="what it is, in one sentence")
    homepage: Address = Field(description="where it is published")
    licence: Licence = Field(description="on which terms the data may be used")
    citation: Text = Field(description="what to cite")
    about: str = Field("", description="how large it is, where not all sizes are known")
    use: Annotated[tuple[Text, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="commands that use it; FOLDER stands for where it lies"
    )
    always: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = Field(
        (), description="parts that come with every other"
    )
    parts: dict[
        Name, Annotated[tuple[File, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
    ] = Field(min_length=1, description="the files of each part")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Make sure that no two files have one place, and that the parts named are there."""
        for part in self.always:
            if part not in self.parts:
                raise ValueError(f"always: no part is called {part!r}{nearest(part, self.parts)}")
        places = [place for file in self.files() for place in (file.name, file.unpack) if place]
        twice = sorted({place for place in places if places.count(place) > 1})
        if twice:
            raise ValueError(
                f"parts: {', '.join(twice)} would be written twice; set name: or unpack:"
            )
        return self

    def files(self, parts: Sequence[str] | None = None) -> Iterator[File]:
        """Go through the files of some parts, or of all."""
        for part in self.parts if parts is None else parts:
            yield from self.parts[part]

    def choose(self, wanted: Sequence[str] | None) -> list[str]:
        """Find parts by name or pattern (``Week1_*``), with those that always come along.

        Raises
        ------
        DataError
            When nothing is called so, with the nearest name.
        """
        if not wanted:
            return list(self.parts)
        chosen = set(self.always)
        for name in wanted:
            found = [part for part in self.parts if fnmatchcase(part, name)]
            if not found:
                raise DataError(f"{self.name} has no part {name!r}{nearest(name, self.parts)}")
            chosen.update(found)
        return [part for part in self.parts if part in chosen]

    def total(self) -> int | None:
        """Add the sizes up, in bytes; None where one is not known."""
        sizes = [file.size for file in self.files()]
        return None if None in sizes else sum(size for size in sizes if size)
