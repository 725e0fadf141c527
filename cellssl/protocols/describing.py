"""A protocol as a table: operation, amplitude, chance, the invariance it asserts, and why."""

import pandas as pd

from cellssl.augment import Operation
from cellssl.augment.quantities import Number, Span
from cellssl.protocols.protocol import Protocol

__all__ = ["describe"]

_COLUMNS = ["view", "operation", "amplitude", "p", "makes the encoder blind to", "because"]


def describe(protocol: Protocol) -> pd.DataFrame:
    """Give one row per operation, in order.

    Returns
    -------
    DataFrame
        Text columns: view ("both", "1" or "2"), operation, amplitude with its unit, p, the
        invariance that the operation asserts, and the protocol's reason.

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> describe(load("bbbc021-expert")).loc[0, "amplitude"]
    'degrees 180'
    """
    rows = []
    for index, view in enumerate(protocol.views):
        which = "both" if len(protocol.views) == 1 else str(index + 1)
        rows += [
            [
                which,
                operation.name,
                _amplitude(operation),
                f"{operation.p:g}",
                operation.invariance,
                operation.because,
            ]
            for operation in view
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _amplitude(operation: Operation) -> str:
    """Write the amplitudes with their units, and whichever choices are not the default."""
    parts = []
    for key, (rule, default) in operation.rules().items():
        value = getattr(operation, key)
        if key in ("p", "because") or (not isinstance(rule, Number | Span) and value == default):
            continue
        unit = "" if rule.unit in ("", key) else f" {rule.unit}"
        parts.append(f"{key} {_shown(value)}{unit}")
    return ", ".join(parts)


def _shown(value: object) -> str:
    """Write 3 as 3, (0.1, 1.5) as 0.1–1.5, names with commas, true as true."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        numbers = all(isinstance(item, int | float) for item in value)
        return "–".join(f"{item:.3g}" for item in value) if numbers else " and ".join(value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)
