"""What a layout is, what it is given, what it gives back, and which ones there are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

import pandas as pd

from cellssl.errors import PlateError, nearest
from cellssl.plates.layouts.images import Images


@dataclass(frozen=True)
class Listing:
    """What a layout found.

    Attributes
    ----------
    files
        One row per plane: ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``, any further
        ``Metadata_*``, ``Channel`` and ``Path``, its address relative to the folder (see
        `cellssl.plates.addresses`). ``Plane`` counts the planes of a stack, ``Time`` time points.
        Both may be left out.
    channels
        The channels in their order.
    problems
        Rows of `PlateIndex.problems` known so far.
    absent
        Fields that the layout's own table lists while none of their files is there.
    aliases
        Other names by which the user may call a channel, e.g. ``{"1": "DAPI"}``.
    joins
        Whether the user's table is still to be joined by well, having not listed the images itself.
    notes
        What else the user should know: what was left out and why, what was taken for granted.
    projected
        Whether plane 0 is a projection that the microscope made beside the planes, and not their first.
    """

    files: pd.DataFrame
    channels: tuple[str, ...]
    problems: list[dict[str, str]] = field(default_factory=list)
    absent: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    joins: bool = True
    notes: tuple[str, ...] = ()
    projected: bool = False


class Grade(IntEnum):
    """How much a piece of evidence says: the highest grade decides between layouts."""

    NAMES = 1
    """The files' names alone; other microscopes may use such names."""
    DATA_SET = 2
    """Names, and what one data set alone has."""
    CONTENT = 3
    """What stands inside the images, or a document of the microscope beside them."""
    TABLE = 4
    """A table that lists the images."""


@dataclass(frozen=True)
class Evidence:
    """Why files look like a layout.

    Attributes
    ----------
    grade
        What is looked at.
    reason
        In words, beginning with what was found.
    share
        The part of the images that it speaks of; the larger decides within a grade.
    """

    grade: Grade
    reason: str
    share: float = 1.0


class Layout(ABC):
    """How the files of a plate are named: one class of its own for each.

    Attributes
    ----------
    name
        What the user calls it.
    takes_pattern
        Whether it heeds the user's regular expression; another is never asked where there is one.
    """

    name: ClassVar[str]
    takes_pattern: ClassVar[bool] = False

    def recognise(self, images: Images) -> Evidence | None:  # noqa: ARG002 - of a layout that is named
        """Say why these files look like this layout, or None when they do not."""
        return None

    @abstractmethod
    def find(self, images: Images) -> Listing:
        """Read plate, well, site and channel of every image."""


def _layouts() -> dict[str, Layout]:
    return {kind.name: kind() for kind in Layout.__subclasses__()}


def names() -> tuple[str, ...]:
    """List the layouts there are."""
    return tuple(sorted(_layouts()))


def get(name: str, images: Images) -> Layout:
    """Give the layout of this name.

    Raises
    ------
    PlateError
        When there is none, or it takes no pattern and one was given.
    """
    found = _layouts().get(name)
    if found is None:
        near = nearest(name, names(), listed=True)
        raise PlateError(f"no layout {name!r}; there are auto, {', '.join(names())}{near}")
    if images.pattern and not found.takes_pattern:
        raise PlateError(f"layout {name!r} takes no --pattern; leave one of the two out.")
    return found


def recognise(images: Images) -> tuple[Layout, str] | None:
    """Give the layout that the evidence speaks for, and the reason; the others are named in it.

    A pattern speaks for itself.
    """
    if images.pattern:
        return get("pattern", images), "a pattern was given"
    found = [(kind.recognise(images), kind) for kind in _layouts().values()]
    ranked = sorted(
        ((evidence, kind) for evidence, kind in found if evidence is not None),
        key=lambda pair: (-pair[0].grade, -pair[0].share, pair[1].name),
    )
    if not ranked:
        return None
    evidence, kind = ranked[0]
    others = ", ".join(other.name for _, other in ranked[1:])
    hint = f" (would fit less well: {others})" if others else ""
    return kind, f"{evidence.reason}{hint}"
