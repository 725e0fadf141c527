"""Protocols of version 1 read as today's: plain values to plain values."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cellssl.documents import Place
from cellssl.protocols.editing import operation_lists
from cellssl.protocols.protocol import VERSION

_RENAMED = {"noise": "read_noise"}  # since version 2: photon noise came beside the camera's


@dataclass(frozen=True)
class Migration:
    """One thing that was read differently from how it is written: where, and what."""

    place: Place
    now: Place
    text: str


def renamed(name: str) -> str | None:
    """Say what an operation of an earlier version is called today, or None.

    Examples
    --------
    >>> renamed("noise")
    'noise is called read_noise since version 2'
    """
    return f"{name} is called {_RENAMED[name]} since version 2" if name in _RENAMED else None


def version_problem(values: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a protocol's version, or None; a missing one is 1."""
    version = values.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        return f"version: expected a whole number, got {version!r}"
    if version > VERSION:
        return (
            f"made for a newer cellssl (version {version}, this one knows {VERSION}); "
            "update cellssl"
        )
    if version < 1:
        return f"version: expected a whole number from 1 to {VERSION}, got {version}"
    return None


def migrate(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Migration]]:
    """Bring plain values of any version to today's; `values` stay as they are.

    Returns
    -------
    dict, list of Migration
        The values of today's version, and what was changed.

    Examples
    --------
    >>> values, (changed,) = migrate({"views": [[{"noise": {"sigma": [0, 0.1]}}]]})
    >>> values["views"], changed.text
    ([[{'read_noise': {'sigma': [0, 0.1]}}]], 'noise is called read_noise since version 2; read so')
    """
    migrated, found = copy.deepcopy(dict(values)), []
    if migrated.get("version", 1) == 1:
        for old, new in _RENAMED.items():
            found += _rename(migrated, old, new)
    return {**migrated, "version": VERSION}, found


def _rename(values: dict[str, Any], old: str, new: str) -> list[Migration]:
    """Rename an operation in place wherever a protocol can name it."""
    found = []

    def rename(items: Any, index: Any, place: Place, after: Place) -> None:
        found.append(Migration(place, after, f"{renamed(old)}; read so"))
        if isinstance(items[index], Mapping):
            items[index] = {new if key == old else key: x for key, x in items[index].items()}
        else:
            items[index] = new

    for place, items in operation_lists(values):
        for index, item in enumerate(items):
            if isinstance(item, Mapping) and old in item and new not in item:
                rename(items, index, (*place, index, old), (*place, index, new))
    change = values.get("change")
    if isinstance(change, Mapping) and old in change and new not in change:
        rename(values, "change", ("change", old), ("change", new))
    for key in ("keep", "remove"):
        names = values.get(key)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if name == old:
                rename(names, index, (key, index), (key, index))
    return found
