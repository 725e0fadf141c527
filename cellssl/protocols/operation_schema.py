"""Operations in the JSON Schema: the keys of each, with meaning, unit, range and default."""

from typing import Any

from cellssl.augment import Operation
from cellssl.augment.quantities import ChannelName, Choice, Number, Rule, Span, Switch, Texts

Schema = dict[str, Any]
NAMES: Schema = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "uniqueItems": True,
}


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
    kind = _kind(rule)
    optional = default is None and isinstance(rule, ChannelName | Texts)
    return {**about, **({"anyOf": [kind, {"type": "null"}]} if optional else kind)}


def _kind(rule: Rule) -> Schema:
    if isinstance(rule, Number | Span):
        number = {
            "type": "integer" if rule.whole else "number",
            "minimum": rule.low,
            "maximum": rule.high,
        }
        if isinstance(rule, Number):
            return number
        return {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    if isinstance(rule, Switch):
        return {"type": "boolean"}
    if isinstance(rule, Choice):
        return {"enum": list(rule.options)}
    if isinstance(rule, Texts) and rule.many:
        return NAMES
    return (
        {"type": "string", "minLength": 1} if isinstance(rule, ChannelName) else {"type": "string"}
    )
