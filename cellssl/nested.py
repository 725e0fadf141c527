"""Nested settings and provenance: as JSON holds them, and by dotted key."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

__all__ = ["dotted", "plain"]


def dotted(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Walk over nested mappings: keys joined by dots, and what they hold.

    Examples
    --------
    >>> dict(dotted({"crop": {"size": 64}, "name": "mine"}))
    {'crop.size': 64, 'name': 'mine'}
    """
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def plain(value: Any) -> Any:
    """Turn what ``uns`` holds into what JSON holds: no arrays, tuples or NumPy numbers.

    Examples
    --------
    >>> plain({"percentiles": np.array([1, 99.5]), "seed": np.int64(3), "path": b"a"})
    {'percentiles': [1.0, 99.5], 'seed': 3, 'path': 'a'}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
