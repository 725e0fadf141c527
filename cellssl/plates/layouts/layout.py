"""What a layout is, what it is given, what it gives back, and which ones there are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, TypeVar

import pandas as pd

from cellssl.errors import PlateError

__all__ = ["Images", "Layout", "Listing", "get", "layout", "names", "recognise"]


@dataclass(frozen=True)
class Images:
    """What a layout starts from.

    Attributes
    ----------
    folder
        The plate's folder.
    paths
        Its TIFF files anywhere below, relative to it, with `/`, sorted.
    tables
        Its CSV files (also .csv.gz), likewise.
    plate
        The plate's name as the user gave it, or None.
    pattern
        The user's regular expression, or None.
    metadata, moa
        The user's tables, or None.
    """

    folder: Path
    paths: tuple[str, ...]
    tables: tuple[str, ...] = ()
    plate: str | None = None
    pattern: str | None = None
    metadata: Path | None = None
    moa: Path | None = None


@dataclass(frozen=True)
class Listing:
    """What a layout found.

    Attributes
    ----------
    files
        One row per image: ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, any further
        ``Metadata_*``, ``Channel`` and ``Path`` (relative to the folder).
    channels
        The channels in their order.
    problems
        Rows of `PlateIndex.problems` known so far.
    absent
        Fields that the layout's own table lists while none of their files is there.
    aliases
        Other names by which the user may call a channel, e.g. ``{"1": "DAPI"}``.
    metadata
        A table that is still to be joined by well, or None.
    """

    files: pd.DataFrame
    channels: tuple[str, ...]
    problems: list[dict[str, str]] = field(default_factory=list)
    absent: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    metadata: Path | None = None


class Layout(ABC):
    """How the files of a plate are named."""

    name: ClassVar[str]

    @abstractmethod
    def recognise(self, images: Images) -> str | None:
        """Say why these files look like this layout, or None when they do not."""

    @abstractmethod
    def find(self, images: Images) -> Listing:
        """Read plate, well, site and channel of every file."""


_LAYOUTS: dict[str, Layout] = {}
Kind = TypeVar("Kind", bound=type[Layout])


def layout(kind: Kind) -> Kind:
    """Register a layout under its name."""
    _LAYOUTS[kind.name] = kind()
    return kind


def names() -> tuple[str, ...]:
    """List the layouts there are."""
    return tuple(sorted(_LAYOUTS))


def get(name: str) -> Layout:
    """Give the layout of this name.

    Raises
    ------
    PlateError
        When there is none.
    """
    if name not in _LAYOUTS:
        near = get_close_matches(name, _LAYOUTS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise PlateError(f"no layout {name!r}; there are auto, {', '.join(names())}.{hint}")
    return _LAYOUTS[name]


def recognise(images: Images) -> tuple[Layout, str] | None:
    """Give the first layout that recognises the files, and its reason."""
    for name in names():
        reason = _LAYOUTS[name].recognise(images)
        if reason:
            return _LAYOUTS[name], reason
    return None
