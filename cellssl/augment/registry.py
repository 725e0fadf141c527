"""The operations there are, by their YAML names."""

from typing import TypeVar

from cellssl.augment.operation import Operation
from cellssl.errors import nearest

__all__ = ["catalogue", "operation_named", "register"]

_registry: dict[str, type[Operation]] = {}

AnyOperation = TypeVar("AnyOperation", bound=type[Operation])


def register(operation: AnyOperation) -> AnyOperation:
    """Make an operation known by its YAML name."""
    if not operation.name or operation.name in _registry:
        raise ValueError(f"operation name {operation.name!r} is empty or taken")
    _registry[operation.name] = operation
    return operation


def catalogue() -> dict[str, type[Operation]]:
    """Map the YAML name of every operation to its class, sorted by name."""
    return dict(sorted(_registry.items()))


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
    if name not in _registry:
        raise ValueError(f"unknown operation {name!r}{nearest(name, _registry)}")
    return _registry[name]
