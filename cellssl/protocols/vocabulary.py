"""The operations that a protocol may use, as tables."""

import inspect

import pandas as pd

from cellssl.augment import Operation, catalogue, operation_named
from cellssl.errors import ProtocolError
from cellssl.protocols.describing import value_text

_COMMON = ("channels", "p", "because")


def operations() -> pd.DataFrame:
    """Give one row per operation that protocols may use.

    Returns
    -------
    DataFrame
        operation, kind ("masking", "geometry", "pixel", the order in which a view applies them),
        what it makes the encoder blind to, and its own keys with their units.

    Examples
    --------
    >>> operations().set_index("operation").loc["rotate", "keys"]
    'degrees'
    >>> operations().set_index("operation").loc["defocus", "keys"]
    'sigma (px)'
    """
    columns = ["operation", "kind", "makes the encoder blind to", "keys"]
    rows = [[name, op.kind, op.invariance, _keys(op)] for name, op in catalogue().items()]
    order = ["geometry", "pixel", "masking"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("kind", key=lambda kinds: kinds.map(order.index), kind="stable")


def explain_operation(name: str) -> tuple[str, pd.DataFrame]:
    """Give an operation's description, and one row per key.

    Returns
    -------
    str, DataFrame
        The text; key, meaning, what may be written, default.

    Raises
    ------
    ProtocolError
        When there is no such operation, with the nearest name.

    Examples
    --------
    >>> explain_operation("rotate")[1].loc[0].tolist()
    ['degrees', 'largest angle either way', '0 to 180 degrees', 'must be given']
    """
    try:
        operation = operation_named(name)
    except ValueError as error:
        raise ProtocolError(str(error)) from error
    rows = [
        [key, rule.meaning, rule.allowed(), "must be given" if default is ... else _shown(default)]
        for key, (rule, default) in operation.rules().items()
    ]
    columns = ["key", "meaning", "values", "default"]
    return inspect.getdoc(operation) or "", pd.DataFrame(rows, columns=columns)


def _keys(operation: type[Operation]) -> str:
    """Name the keys that are the operation's own."""
    rules = operation.rules().items()
    units = {key: rule.unit_beside(key) for key, (rule, _) in rules if key not in _COMMON}
    return ", ".join(f"{key} ({unit})" if unit else key for key, unit in units.items())


def _shown(default: object) -> str:
    """Write a default as a file would."""
    return "" if default in (None, "") else value_text(default)
