"""The operations that a protocol may use, as tables."""

import inspect

import pandas as pd

from cellssl.augment import Operation, catalogue, operation_named
from cellssl.augment.quantities import ChannelName, Choice, Number, Rule, Span, Switch, Texts
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
        [key, rule.meaning, _allowed(rule), "must be given" if default is ... else _shown(default)]
        for key, (rule, default) in operation.rules().items()
    ]
    columns = ["key", "meaning", "values", "default"]
    return inspect.getdoc(operation) or "", pd.DataFrame(rows, columns=columns)


def _keys(operation: type[Operation]) -> str:
    """Name the keys that are the operation's own."""
    own = {key: rule for key, (rule, _) in operation.rules().items() if key not in _COMMON}
    units = {key: "" if rule.unit in ("", key) else f" ({rule.unit})" for key, rule in own.items()}
    return ", ".join(f"{key}{unit}" for key, unit in units.items())


def _allowed(rule: Rule) -> str:
    if isinstance(rule, Number | Span):
        ends = f"{rule.low:g} to {rule.high:g}{f' {rule.unit}' if rule.unit else ''}"
        return f"[from, to] within {ends}" if isinstance(rule, Span) else ends
    if isinstance(rule, Choice):
        return " or ".join(rule.options)
    if isinstance(rule, ChannelName):
        return "a channel's name"
    if isinstance(rule, Texts) and rule.many:
        return "[channel, …]"
    return "true or false" if isinstance(rule, Switch) else "text"


def _shown(default: object) -> str:
    """Write a default as a file would."""
    return "" if default in (None, "") else value_text(default)
