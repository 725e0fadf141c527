"""The operations, one file each, by their YAML names; every file in this folder is found by itself."""

from importlib import import_module
from pkgutil import iter_modules

from cellssl.augment.operation import NAMED, Operation
from cellssl.errors import nearest

__all__ = ["catalogue", "operation_named"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def catalogue() -> dict[str, type[Operation]]:
    """Map the YAML name of every operation to its class, sorted by name."""
    return dict(sorted(NAMED.items()))


def operation_named(name: str) -> type[Operation]:
    """Find an operation by its YAML name.

    Raises
    ------
    ValueError
        When there is none, with the nearest name.

    Examples
    --------
    >>> operation_named("rotate")(degrees=180.0).invariance
    'orientation'
    """
    if name not in NAMED:
        raise ValueError(f"unknown operation {name!r}{nearest(name, NAMED)}")
    return NAMED[name]
