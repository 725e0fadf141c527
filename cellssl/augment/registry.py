"""The operations there are, by their YAML names."""

from cellssl.augment import operations as _discovered  # noqa: F401  (every file there is one)
from cellssl.augment.operation import NAMED, Operation
from cellssl.errors import nearest

__all__ = ["catalogue", "operation_named"]


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
