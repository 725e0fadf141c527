"""A protocol as a table: operation, amplitude, chance, the invariance it asserts, and why."""

from pathlib import Path

import pandas as pd

from cellssl.augment import Operation
from cellssl.augment.quantities import Number, Span
from cellssl.protocols.building import expand_groups
from cellssl.protocols.changing import resolve
from cellssl.protocols.protocol import Protocol
from cellssl.words import counted, listed

_COLUMNS = ["view", "operation", "amplitude", "p", "makes the encoder blind to", "because"]


def describe(protocol: Protocol | str | Path) -> pd.DataFrame:
    """Give one row per operation of a protocol, its name or its file, in order.

    Returns
    -------
    DataFrame
        Text columns: view ("both", "1", "2", or "3–6, 32 px" for several of a size of their own;
        after the name of its group where there are several: "geometry: both"),
        operation, amplitude with its unit, p, the invariance that the operation asserts, and the
        protocol's reason.

    Examples
    --------
    >>> describe("bbbc021-expert").loc[0, "amplitude"]
    'degrees 180'
    """
    protocol = resolve(protocol)
    if protocol.groups:
        tables = {name: describe(one) for name, one in expand_groups(protocol).items()}
        for name, table in tables.items():
            table["view"] = f"{name}: " + table["view"]
        return pd.concat(tables.values(), ignore_index=True)
    rows = []
    for recipe, label in zip(protocol.views, view_labels(protocol), strict=True):
        which = label if recipe.size is None else f"{label}, {recipe.size} px"
        rows += [
            [
                which,
                operation.name,
                amplitude(operation),
                f"{operation.p:g}",
                operation.invariance,
                operation.because,
            ]
            for operation in recipe.operations
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def view_labels(protocol: Protocol) -> list[str]:
    """Give the numbers of the views of each entry of `views:`: "both", or "1", "2", "3–6".

    Examples
    --------
    >>> from cellssl.protocols import load
    >>> view_labels(load("natural-moco"))
    ['both']
    """
    if len(protocol.views) == 1 and protocol.views[0].count == 2:
        return ["both"]
    labels, last = [], 0
    for recipe in protocol.views:
        first, last = last + 1, last + recipe.count
        labels.append(str(first) if first == last else f"{first}–{last}")
    return labels


def summarise(protocol: Protocol | str | Path) -> list[str]:
    """Say in a few lines what surrounds the views: channels, crop, positives, training.

    Examples
    --------
    >>> summarise("natural-moco")[1]
    'positives: same_cell'
    """
    protocol = resolve(protocol)
    crop, training, positives = protocol.crop, protocol.training, protocol.positives
    scaling = crop.scaling
    channels = "any" if protocol.channels == "any" else ", ".join(protocol.channels)
    low, high = scaling.percentiles
    treatment = f" by {', '.join(positives.columns)}" if positives.columns else ""
    weak = " (weak supervision: the plate's layout is used)" if positives.weak else ""
    return [
        f"channels: {channels}; crop: {crop.size} px, border {crop.border}, {crop.interpolation}; "
        f"scaling: per {scaling.per}, percentiles {low:g}–{high:g}, {scaling.transform}",
        f"positives: {positives}{treatment}{weak}",
        f"training: {training.method} on {training.encoder}, {training.epochs} epochs, "
        f"batches of {training.batch_size}{_heads(protocol)}",
    ]


def _heads(protocol: Protocol) -> str:
    """Say what each group of views has for itself; nothing where there are none."""
    training = protocol.training
    if not protocol.groups:
        return ""
    stages = counted(training.own_stages, "last stage")
    where = f"with {stages} of its own" if training.own_stages else "on one encoder"
    part = ", and a part of each batch" if training.divide_batch else ""
    return f"; a head for each of {listed([*protocol.groups])}, {where}{part}"


def amplitude(operation: Operation) -> str:
    """Write the amplitudes with their units, and whichever choices are not the default."""
    parts = []
    for key, (rule, default) in operation.rules().items():
        value = getattr(operation, key)
        if key in ("p", "because") or value is None:
            continue
        if isinstance(rule, Number | Span) or value != default:
            parts.append(f"{key} {value_text(value, rule.unit_beside(key))}")
    return ", ".join(parts)


def strength(operation: Operation) -> str:
    """Write the amplitudes as `amplitude` does, or how often it happens where there are none."""
    return amplitude(operation) or f"p {operation.p:g}"


def value_text(value: object, unit: str = "") -> str:
    """Write a value with its unit: 3 as 3, (0.1, 1.5) as 0.1–1.5, names with "and", true as true.

    Examples
    --------
    >>> value_text((0.1, 1.5), "px"), value_text(True), value_text(("a", "b"))
    ('0.1–1.5 px', 'true', 'a and b')
    """
    if value is None:
        return "–"
    unit = f" {unit}" if unit else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        numbers = all(isinstance(item, int | float) for item in value)
        shown = "–".join(map(_number, value)) if numbers else " and ".join(value)
        return shown + unit
    return (f"{value:g}" if isinstance(value, int | float) else str(value)) + unit


def _number(value: float) -> str:
    """Write a whole number in full, any other by three digits."""
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"
