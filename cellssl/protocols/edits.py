"""The keys by which a protocol says how operations differ: change, keep, remove, add."""

from collections.abc import Mapping
from typing import Any

from cellssl.documents import Note, Place
from cellssl.errors import nearest
from cellssl.protocols.explaining import shown
from cellssl.protocols.migrating import renamed


def read_edits(values: Mapping[str, Any], there: list[str], note: Note) -> dict[str, Any]:
    """Read how operations are edited; what is wrong is noted, and left out.

    Parameters
    ----------
    values
        Plain values, `EDITS` among them or not.
    there
        The operations that can be edited.
    note
        Told of everything that is wrong.

    Returns
    -------
    dict
        The arguments of `edit_operations`.
    """
    change = _of_kind(values.get("change", {}), Mapping, "change", note)
    keep = _of_kind(values.get("keep", there), list, "keep", note)
    remove = _of_kind(values.get("remove", []), list, "remove", note)
    add = _of_kind(values.get("add", []), list, "add", note)
    for name in change:
        _check_there(("change", name), name, there, note)
    for key, names in (("keep", keep), ("remove", remove)):
        for index, name in enumerate(names):
            _check_there((key, index), name, there, note)
    gone = [name for name in there if name in remove or name not in keep]
    for index, name in enumerate(remove):
        if name in there and name in change:
            note(("remove", index), f"remove: {name} is changed and removed; keep one")
        if "keep" in values and name in keep:
            note(("remove", index), f"remove: {name} is kept and removed; leave one out")
    changed = {}
    for name, keys in change.items():
        if not isinstance(keys, Mapping):
            message = f"expected keys and values for {name}, got {shown(keys)}"
            note(("change", name), message)
        elif name in gone and name not in remove:
            note(("change", name), f"change: {name} is not among those that are kept; add it there")
        elif name in there:
            changed[name] = keys
    return {"change": changed, "remove": gone, "add": add}


def _of_kind(value: Any, kind: type, key: str, note: Note) -> Any:
    """Give a mapping or a list, or an empty one where it is something else, which is noted."""
    if isinstance(value, kind):
        return value
    if kind is list:
        hint = f"; write [{value}]" if isinstance(value, str) else ""
        wanted = f"a list of operations, got {shown(value)}{hint}"
    else:
        wanted = f"operations with the keys to change, got {shown(value)}"
    note((key,), f"{key}: expected {wanted}")
    return [] if kind is list else {}


def _check_there(place: Place, name: object, there: list[str], note: Note) -> None:
    """Make sure that an operation can be edited."""
    if name in there:
        return
    told = renamed(name) if isinstance(name, str) else None
    unknown = f"no inherited operation is called {name!r}{nearest(name, there)}"
    note(place, f"{place[0]}: {told or unknown}")
