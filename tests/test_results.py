"""What functions give back says in one line what it is, in a notebook above all."""

import dataclasses
import importlib
import pkgutil

import pytest

import cellssl


def _tables() -> list[type]:
    """Public dataclasses of every room that hold tables."""
    found: dict[str, type | None] = {}
    rooms = [room.name for room in pkgutil.iter_modules(cellssl.__path__, "cellssl.") if room.ispkg]
    for public in map(importlib.import_module, rooms):
        for one in (getattr(public, name) for name in getattr(public, "__all__", [])):
            if isinstance(one, type) and dataclasses.is_dataclass(one):
                types = [str(field.type) for field in dataclasses.fields(one)]
                found[one.__qualname__] = (
                    one if any("DataFrame" in kind for kind in types) else None
                )
    return [one for one in found.values() if one is not None]


@pytest.mark.parametrize("kind", _tables(), ids=lambda kind: kind.__name__)
def test_no_result_prints_its_tables(kind: type) -> None:
    generated = hasattr(kind.__repr__, "__wrapped__")  # as dataclasses make it, of all fields
    assert not generated
