"""Operations in plain views, changed, removed and added wherever they stand."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cellssl import methods
from cellssl.documents import Place

EDITS = ("change", "keep", "remove", "add")  # the keys that say how operations differ

#: Place in the edited values → place in the edits that it comes from.
Origins = dict[Place, Place]


def operation_lists(values: Mapping[str, Any]) -> Iterator[tuple[Place, list[Any]]]:
    """Walk over the lists of operations in a protocol's plain values, each with its place.

    Whatever is not of the right form is passed over; `parse` tells of it.
    """
    views = values.get("views")
    for index, view in enumerate(views if isinstance(views, list) else ()):
        if isinstance(view, list):
            yield ("views", index), view
        elif isinstance(view, Mapping) and isinstance(view.get("operations"), list):
            yield ("views", index, "operations"), view["operations"]
    if isinstance(values.get("add"), list):
        yield ("add",), values["add"]


def operation_names(values: Mapping[str, Any]) -> list[str]:
    """List the operations in a protocol's plain values, each once, in order."""
    items = [item for _, found in operation_lists(values) for item in found]
    return list(dict.fromkeys(name for item in items if isinstance(item, Mapping) for name in item))


def edit_operations(
    values: Mapping[str, Any],
    *,
    change: Mapping[str, Mapping[str, Any]] | None = None,
    remove: Sequence[str] = (),
    add: Sequence[Any] = (),
) -> tuple[dict[str, Any], Origins]:
    """Edit the operations of every view.

    Parameters
    ----------
    values
        A protocol's plain values, valid ones; they stay as they are.
    change
        Operation → the keys that get other values, wherever the operation stands.
    remove
        Operations that are taken out.
    add
        Operations, as in a view, that come last.

    Returns
    -------
    dict, dict
        The edited values, and where in the edits (``("change", name, key)``, ``("add", index)``)
        the edited places come from.

    Examples
    --------
    >>> values = {"views": [[{"flip": {}}, {"rotate": {"degrees": 180, "p": 0.5}}]]}
    >>> edit_operations(values, change={"rotate": {"degrees": 90}}, remove=["flip"])[0]
    {'views': [[{'rotate': {'degrees': 90, 'p': 0.5}}]]}
    """
    edited = copy.deepcopy(dict(values))
    origins: Origins = {}
    for place, items in operation_lists(edited):
        items[:] = [item for item in items if _name(item) not in remove]
        for index, item in enumerate(items):
            name = _name(item)
            if change and name in change:
                items[index] = {name: {**(item[name] or {}), **change[name]}}
                origins[*place, index, name] = ("change", name)
        for index, item in enumerate(add):
            origins[*place, len(items)] = ("add", index)
            items.append(copy.deepcopy(item))
    return edited, origins


def _name(item: object) -> str:
    """Give an item's operation, or nothing where it is none."""
    return str(next(iter(item), "")) if isinstance(item, Mapping) else ""


def drop_foreign_options(values: dict[str, Any], method: str) -> None:
    """Take the options out of valid plain values that another method does not have."""
    if method not in methods.names(labelled=True):
        return
    options, known = values["training"]["method_options"], methods.option_names(method)
    for option in [option for option in options if option not in known]:
        del options[option]


def trace(place: Place, origins: Origins) -> Place:
    """Find where a place in edited values comes from; itself where it was not edited."""
    for length in range(len(place), 0, -1):
        if place[:length] in origins:
            return (*origins[place[:length]], *place[length:])
    return place
