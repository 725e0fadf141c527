"""Operations in the JSON Schema: the keys of each, with meaning, unit, range and default."""

from typing import Any

from cellssl.augment import Operation
from cellssl.augment.quantities import Rule, Schema


def operation_list(operations: dict[str, type[Operation]]) -> Schema:
    """Give a list of operations: one an item, told apart by its only key."""
    items = {}
    for name, operation in operations.items():
        needed = [key for key, (_, default) in operation.rules().items() if default is ...]
        filled = {"$ref": f"#/$defs/{name}", "required": needed}
        items[name] = filled if needed else {"anyOf": [filled, {"type": "null"}]}
    return {
        "type": "array",
        "items": {
            "type": "object",
            "properties": items,
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    }


def operation_keys(operation: type[Operation]) -> Schema:
    """Give an operation's keys."""
    about = (operation.__doc__ or "").splitlines()[0].strip()
    return {
        "type": "object",
        "description": f"{about} Makes the encoder blind to {operation.invariance}.",
        "properties": {
            key: _value(rule, default) for key, (rule, default) in operation.rules().items()
        },
        "additionalProperties": False,
    }


def _value(rule: Rule, default: Any) -> Schema:
    """Give what a value may be, with meaning, unit and default."""
    about: Schema = {"description": rule.meaning}
    if rule.unit:
        about = {"description": f"{rule.meaning} ({rule.unit})", "x-unit": rule.unit}
    if default is not ...:
        about["default"] = list(default) if isinstance(default, tuple) else default
    kind = rule.schema()
    return {**about, **({"anyOf": [kind, {"type": "null"}]} if default is None else kind)}
