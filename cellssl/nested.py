"""Nested settings and provenance: as JSON holds them, and by dotted key."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


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


def as_json(value: Any) -> Any:
    """Turn what ``uns`` holds into what JSON holds: no arrays, tuples or NumPy numbers.

    Examples
    --------
    >>> as_json({"percentiles": np.array([1, 99.5]), "seed": np.int64(3), "path": b"a"})
    {'percentiles': [1.0, 99.5], 'seed': 3, 'path': 'a'}
    """
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
