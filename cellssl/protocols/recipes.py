"""The `views:` of a protocol: plain values → recipes, everything wrong told with its place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellssl.augment import Operation, catalogue
from cellssl.augment.quantities import Number
from cellssl.documents import Note, Place
from cellssl.errors import likely, nearest
from cellssl.protocols.explaining import led, shown
from cellssl.protocols.migrating import renamed
from cellssl.protocols.protocol import LARGEST, MOST_VIEWS, SMALLEST, ViewRecipe

_KEYS = ViewRecipe.model_fields
_NUMBERS = {
    "count": Number("how many views", low=1, high=MOST_VIEWS, whole=True),
    "size": Number("height and width", low=SMALLEST, high=LARGEST, whole=True),
}
_WANTED = "a list of operations, or operations: with count: and size:"


@dataclass(frozen=True)
class _Entry:
    """An entry of the list as it is written."""

    operations: tuple[Operation, ...] = ()
    count: int | None = None
    size: int | None = None


def read_recipes(value: object, size: int | None, note: Note) -> tuple[ViewRecipe, ...]:
    """Read the entries of `views:`.

    Parameters
    ----------
    value
        What stands there.
    size
        ``crop.size``, or None where that is wrong itself.
    note
        Told of everything that is wrong.

    Returns
    -------
    tuple of ViewRecipe
        Empty, or of some use for further checks, when anything was noted.
    """
    place: Place = ("views",)
    if not isinstance(value, list) or not value:
        note(place, f"expected a list of views, got {shown(value)}")
        return ()
    if all(_is_operation(item) for item in value):
        note(
            place,
            "expected a list of views, each a list of operations, got the operations themselves; "
            "begin the first one with '- - '",
        )
        return ()
    if len(value) > 2 and all(isinstance(item, list) and len(item) == 1 for item in value):
        note(
            place,
            f"these are {len(value)} views of one operation each; the operations of one view stand in "
            "one list: begin the first one with '- - ', the others with '  - '",
        )
        return ()
    entries = [_read_entry(item, (*place, index), note) for index, item in enumerate(value)]
    counts = _count(entries, note)
    _check_sizes(entries, counts, size, note)
    return tuple(
        ViewRecipe(
            operations=entry.operations,
            count=count,
            size=None if entry.size == size else entry.size,
        )
        for entry, count in zip(entries, counts, strict=True)
    )


def _is_operation(item: object) -> bool:
    """Tell an operation that lacks the outer list from a view with keys."""
    if not isinstance(item, Mapping) or set(item) & set(_KEYS):
        return False
    return bool(set(item) & set(catalogue())) or not any(
        isinstance(value, list) for value in item.values()
    )


def _read_entry(value: object, place: Place, note: Note) -> _Entry:
    """Read a list of operations, or a mapping that holds one."""
    if isinstance(value, list):
        return _Entry(_read_operations(value, place, note))
    if not isinstance(value, Mapping) or _is_operation(value):
        note(place, f"expected {_WANTED}, got {shown(value)}")
        return _Entry()
    unknown = [key for key in value if key not in _KEYS]
    for key in unknown:
        note((*place, key), f"unknown key {key!r} of a view{nearest(key, _KEYS)}")
    meant = {likely(key, _KEYS) for key in unknown}  # missing for that alone
    operations: tuple[Operation, ...] = ()
    inner = (*place, "operations")
    if "operations" not in value and "operations" not in meant:
        note(place, f"a view needs the key 'operations' ({_KEYS['operations'].description})")
    elif not isinstance(value.get("operations", []), list):
        note(inner, f"operations: expected a list, got {shown(value['operations'])}")
    elif "operations" in value:
        operations = _read_operations(value["operations"], inner, note)
    count, size = (_read_number(value, key, place, note) for key in _NUMBERS)
    return _Entry(operations, count, size)


def _read_number(value: Mapping[str, Any], key: str, place: Place, note: Note) -> int | None:
    """Read `count` or `size`; None where it is left out or wrong."""
    got = value.get(key)
    problem = None if got is None else _NUMBERS[key].problem(got)
    if problem is None:
        return got
    note((*place, key), f"{key}: {problem}")
    return None


def _count(entries: Sequence[_Entry], note: Note) -> list[int]:
    """Count the views of every entry: one, or two alike where there is one entry alone."""
    usual = 2 if len(entries) == 1 else 1
    counts = [usual if entry.count is None else entry.count for entry in entries]
    if sum(counts) < 2:
        note(("views", 0, "count"), "count: one view has nothing to be compared with; write 2")
        counts = [2]
    if sum(counts) > MOST_VIEWS:
        note(("views",), f"expected {MOST_VIEWS} views at most in all, got {sum(counts)}")
        counts = [1] * len(counts)
    return counts


def _check_sizes(
    entries: Sequence[_Entry], counts: Sequence[int], size: int | None, note: Note
) -> None:
    """Make sure that the two global views have the crop's size, and none a larger one."""
    before = 0
    for index, (entry, count) in enumerate(zip(entries, counts, strict=True)):
        place = ("views", index, "size")
        if size is not None and entry.size is not None:
            if entry.size > size:
                note(place, f"size: expected crop.size ({size} px) at most, got {entry.size}")
            elif entry.size < size and before < 2:
                note(
                    place,
                    f"size: the first two views are the global ones and have crop.size ({size} px),"
                    f" got {entry.size}; put smaller views after them",
                )
        before += count


def _read_operations(values: Sequence[object], place: Place, note: Note) -> tuple[Operation, ...]:
    read = [_read_operation(item, (*place, index), note) for index, item in enumerate(values)]
    return tuple(operation for operation in read if operation is not None)


def _read_operation(value: object, place: Place, note: Note) -> Operation | None:
    """Read one ``name: {key: value}``."""
    if isinstance(value, str) and value in catalogue():
        note(place, f"expected an operation with its values, got {value!r}; write {value}: {{}}")
        return None
    if not isinstance(value, Mapping) or not value:
        note(place, f"expected one operation, as in rotate: {{degrees: 180}}, got {shown(value)}")
        return None
    if len(value) > 1:
        note(
            place,
            f"expected one operation per list item, got {', '.join(value)}; begin each with '- ', "
            "and put its own keys in braces or indent them further",
        )
        return None
    name, given = next(iter(value.items()))
    operation = catalogue().get(name)
    if operation is None:
        unknown = f"unknown operation {name!r}{nearest(name, catalogue())}"
        note((*place, name), renamed(name) or unknown)
        return None
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        note((*place, name), f"expected keys and values for {name}, got {shown(given)}")
        return None
    problems = operation.problems(given)
    for key, message in problems:
        where = (*place, name, key) if key in given else (*place, name)
        note(where, message if key not in given else led(key, message))
    return None if problems else operation(**given)
