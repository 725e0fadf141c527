"""Two protocols side by side: what differs, value by value."""

from collections.abc import Iterator, Mapping
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.augment import Operation, operation_named
from cellssl.nested import dotted
from cellssl.protocols.changing import resolve
from cellssl.protocols.describing import amplitude, value_text
from cellssl.protocols.protocol import Protocol, ViewRecipe

_NOTHING = "–"
_Row = tuple[str, str, str]


def diff(a: Protocol | str | Path, b: Protocol | str | Path) -> pd.DataFrame:
    """Compare two protocols.

    Operations are matched by name, and by how often they stood before in the same view. Names are
    not compared, and prose (description, `because:`) only where nothing else differs.

    Returns
    -------
    DataFrame
        Text columns: what, first, second; a row for every value that differs. "–" stands for what
        is not there.

    Examples
    --------
    >>> from cellssl.protocols import resolve
    >>> diff("bbbc021-expert", resolve("bbbc021-expert", {"stain_gain.amplitude": 0.3})).values
    array([['stain_gain.amplitude', '0.15 ln(factor)', '0.3 ln(factor)']],
          dtype=object)
    """
    first, second = resolve(a), resolve(b)
    views = [*_views(first, second)]
    rows = [*_settings(first, second), *(row for row in views if not row[0].endswith(".because"))]
    if not rows:
        told = [("description", first.description, second.description)]
        # Who extends another and describes nothing says nothing else.
        rows = [row for row in told if row[1] and row[2] and row[1] != row[2]] + views
    return pd.DataFrame(rows, columns=["what", "first", "second"])


def _settings(first: Protocol, second: Protocol) -> Iterator[_Row]:
    ours, theirs = _flat(first), _flat(second)
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        yield from _row(key, ours.get(key), theirs.get(key))


def _flat(protocol: Protocol) -> dict[str, Any]:
    """Give plain values by dotted key."""
    values = protocol.to_dict()
    for key in ("version", "name", "description", "views"):
        del values[key]
    values["positives"] = protocol.positives.model_dump(mode="json")
    values["groups"] = {name: _edits(edits) for name, edits in protocol.groups.items()}
    return dict(dotted(values))


def _edits(edits: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """Give how a group's views differ, added operations written out; in words where they do not."""
    if "add" not in edits:
        return edits or "the views as they are"
    added = [next(iter(item.items())) for item in edits["add"]]
    written = [f"{name} {_whole(operation_named(name)(**(keys or {})))}" for name, keys in added]
    return {**edits, "add": written}


def _row(what: str, first: Any, second: Any, unit: str = "") -> Iterator[_Row]:
    """Give a row where two values differ; in full where they look alike shortened."""
    if first == second:
        return
    texts = value_text(first, unit), value_text(second, unit)
    if texts[0] == texts[1]:
        texts = str(first), str(second)
    yield what, *texts


def _views(first: Protocol, second: Protocol) -> Iterator[_Row]:
    """Compare view by view; views that stand in one entry of both protocols together."""
    ours, theirs = _expand(first), _expand(second)
    if len(ours) != len(theirs):
        yield "number of views", str(len(ours)), str(len(theirs))
    pairs = list(zip_longest(ours, theirs))
    end = 0
    for pair, alike in groupby(pairs):
        start, end = end + 1, end + len(list(alike))
        label = f"view {start}: " if start == end else f"views {start}–{end}: "
        where = "" if end - start + 1 == len(pairs) else label
        left = first.views[pair[0]] if pair[0] is not None else None
        right = second.views[pair[1]] if pair[1] is not None else None
        for what, one, other in _compare(left, right):
            yield where + what, one, other


def _expand(protocol: Protocol) -> list[int]:
    """Give for each view the number of its entry."""
    return [index for index, recipe in enumerate(protocol.views) for _ in range(recipe.count)]


def _compare(left: ViewRecipe | None, right: ViewRecipe | None) -> Iterator[_Row]:
    """Compare two entries of `views:`, or tell of one that is alone."""
    if left is None or right is None:
        yield "all of it", _listed(left), _listed(right)
        return
    yield from _row("size", left.size, right.size)
    ours, theirs = _numbered(left), _numbered(right)
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        one, other = ours.get(name), theirs.get(name)
        if one is not None and other is not None:
            yield from _operation(name, one, other)
        else:
            yield name, _whole(one), _whole(other)
    here, there = [n for n in ours if n in theirs], [n for n in theirs if n in ours]
    if here != there:
        yield "order", ", ".join(here), ", ".join(there)


def _numbered(recipe: ViewRecipe) -> dict[str, Operation]:
    """Name operations; the second of a name gets a 2."""
    named: dict[str, Operation] = {}
    for operation in recipe.operations:
        before = sum(other.name == operation.name for other in named.values())
        named[f"{operation.name} {before + 1}" if before else operation.name] = operation
    return named


def _operation(name: str, one: Operation, other: Operation) -> Iterator[_Row]:
    for key, (rule, _) in one.rules().items():
        values = getattr(one, key), getattr(other, key)
        yield from _row(f"{name}.{key}", *values, rule.unit_beside(key))


def _whole(operation: Operation | None) -> str:
    """Write an operation that only one protocol has."""
    if operation is None:
        return _NOTHING
    chance = f"p {operation.p:g}" if operation.p < 1 else ""
    return ", ".join(filter(None, [amplitude(operation), chance])) or "always"


def _listed(recipe: ViewRecipe | None) -> str:
    """Write a view that only one protocol has."""
    if recipe is None:
        return _NOTHING
    size = f"{recipe.size} px: " if recipe.size else ""
    return size + (", ".join(_numbered(recipe)) or "no operation")
