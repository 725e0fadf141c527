"""The form of a protocol file as a JSON Schema, for editors that complete and check as one types."""

from typing import get_args

from pydantic import BaseModel

from cellssl import encoders, methods
from cellssl.augment import Operation, catalogue
from cellssl.protocols.editing import EDITS
from cellssl.protocols.operation_schema import NAMES, Schema, operation_keys, operation_list
from cellssl.protocols.protocol import (
    MOST_VIEWS,
    VERSION,
    Crop,
    LabelsUsed,
    Positives,
    Protocol,
    ScalingRule,
    ViewRecipe,
)
from cellssl.training.settings import TrainingSettings

__all__ = ["schema"]

_UNITS = {"size": "px", "percentiles": "%", "checkpoint_minutes": "min", "warmup_epochs": "epochs"}
_PLATES: Schema = {**NAMES, "items": {"type": ["string", "integer"], "minLength": 1}}


def schema() -> Schema:
    """Give the JSON Schema (draft 2020-12) of protocol files of today's version.

    It knows every key, operation, method and encoder, with meaning, unit (``x-unit``), range and
    default. What holds between values (a channel that is named but not listed, a range that falls)
    only `load` tells.

    Examples
    --------
    >>> schema()["$defs"]["rotate"]["properties"]["degrees"]["maximum"]
    180.0
    """
    operations = catalogue()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cellssl protocol",
        "description": "What an encoder is made blind to, why, and how it is trained.",
        "type": "object",
        "properties": {
            **_protocol_keys(),
            "extends": {
                "type": "string",
                "minLength": 1,
                "description": "name or file of a protocol whose values hold where this file says "
                "nothing; the description is this file's own",
            },
            **_edits(operations),
        },
        "additionalProperties": False,
        "required": ["name"],
        "if": {"required": ["extends"]},
        "then": {"if": {"required": ["views"]}, "then": _without(*EDITS)},
        "else": {
            "required": ["channels", "crop", "views"],
            "properties": {"crop": {"required": ["size"]}},
            **_without(*EDITS),
        },
        "$defs": {
            "operations": operation_list(operations),
            **{name: operation_keys(operation) for name, operation in operations.items()},
        },
    }


def _edits(operations: dict[str, type[Operation]]) -> Schema:
    """Give the keys that edit operations."""
    names = {"type": "array", "items": {"enum": list(operations)}}
    return {
        "change": {
            "type": "object",
            "description": "operations → the keys that get other values",
            "properties": {name: {"$ref": f"#/$defs/{name}"} for name in operations},
            "additionalProperties": False,
        },
        "keep": {**names, "description": "operations that stay; all others are taken out"},
        "remove": {**names, "description": "operations that are taken out"},
        "add": {
            "description": "operations that come last in every view",
            "$ref": "#/$defs/operations",
        },
    }


def _groups(description: str | None, operations: dict[str, type[Operation]]) -> Schema:
    """Give names with edits of the views."""
    edits = {"type": "object", "properties": _edits(operations), "additionalProperties": False}
    return {
        "type": "object",
        "description": description,
        "minProperties": 2,
        "propertyNames": {"pattern": "^[^/:]+$"},
        "additionalProperties": edits,
    }


def _without(*keys: str) -> Schema:
    """Allow none of these keys."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def _protocol_keys() -> Schema:
    """Give the keys of the file itself."""
    keys = _keys(Protocol, ("version", "name", "description"))
    described = {name: field.description for name, field in Protocol.model_fields.items()}
    return {
        "version": {
            "description": f"{keys['version']['description']}; 1 when left out",
            "enum": list(range(1, VERSION + 1)),
        },
        "name": keys["name"],
        "description": keys["description"],
        "channels": {
            "description": described["channels"],
            "anyOf": [{"const": "any"}, NAMES],
        },
        "crop": _block(Crop, described["crop"], scaling=_scaling()),
        "positives": _positives(described["positives"]),
        "views": _views(described["views"]),
        "groups": _groups(described["groups"], catalogue()),
        "labels_used": {
            **_block(
                LabelsUsed, described["labels_used"], columns=dict(NAMES), plates=dict(_PLATES)
            ),
            "required": ["columns"],
        },
        "training": _training(described["training"]),
    }


def _keys(model: type[BaseModel], names: tuple[str, ...]) -> Schema:
    """Take keys from pydantic's schema, with units and without its titles."""
    found = model.model_json_schema()["properties"]
    keys = {}
    for name in names:
        keys[name] = {key: value for key, value in found[name].items() if key != "title"}
        if name in _UNITS:
            unit = _UNITS[name]
            keys[name]["x-unit"] = unit
            keys[name]["description"] = f"{keys[name]['description']} ({unit})"
    return keys


def _block(model: type[BaseModel], description: str | None, **special: Schema) -> Schema:
    """Give a block; `special` are keys that pydantic cannot know well enough."""
    plain = tuple(name for name in model.model_fields if name not in special)
    keys = {**_keys(model, plain), **special}
    return {
        "type": "object",
        "description": description,
        "properties": {name: keys[name] for name in model.model_fields},
        "additionalProperties": False,
    }


def _scaling() -> Schema:
    """Give the scaling block; pydantic does not see what a percentile may be."""
    percentiles = _keys(ScalingRule, ("percentiles",))["percentiles"]
    about = {key: percentiles[key] for key in ("description", "x-unit", "default")}
    ends = {"type": "number", "minimum": 0, "maximum": 100}
    two = {"type": "array", "items": ends, "minItems": 2, "maxItems": 2}
    return _block(ScalingRule, "intensity scaling", percentiles={**about, **two})


def _positives(description: str | None) -> Schema:
    """Give one word, or keys and values."""
    words = list(get_args(Positives.model_fields["kind"].annotation))
    lists = {"columns": NAMES, "plates": _PLATES, "exclude_plates": _PLATES}
    optional = {
        name: {
            "description": Positives.model_fields[name].description,
            "anyOf": [names, {"type": "null"}],
            "default": None,
        }
        for name, names in lists.items()
    }
    block = _block(Positives, description, **optional)
    nothing = {"type": "null"}
    long = {
        **block,
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": "same_treatment"}}},
                "else": {"properties": {"another_plate": {"const": False}, "columns": nothing}},
            },
            {
                "if": {"properties": {"kind": {"const": "same_cell"}}},
                "then": {"properties": {"plates": nothing, "exclude_plates": nothing}},
            },
            {
                "anyOf": [
                    {"properties": {"plates": nothing}},
                    {"properties": {"exclude_plates": nothing}},
                ]
            },
        ],
    }
    return {
        "description": description,
        "default": "same_cell",
        "anyOf": [{"enum": words}, long],
    }


def _views(description: str | None) -> Schema:
    """Give a list of lists of operations, or of operations with count and size."""
    listed = {"$ref": "#/$defs/operations"}
    operations = {"description": "a list of operations, in order", **listed}
    long = _block(ViewRecipe, "one view, or several alike", operations=operations)
    return {
        "description": description,
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_VIEWS,
        "items": {"anyOf": [listed, {**long, "required": ["operations"]}]},
    }


def _training(description: str | None) -> Schema:
    """Give the training block, with the options of each method."""
    keys = _keys(TrainingSettings, ("method", "encoder", "method_options"))
    block = _block(
        TrainingSettings,
        description,
        method={**keys["method"], "enum": list(methods.names(labelled=True))},
        encoder={**keys["encoder"], "enum": list(encoders.names())},
    )
    default = TrainingSettings.model_fields["method"].default
    return {
        **block,
        "allOf": [_options(name, name == default) for name in methods.names(labelled=True)],
    }


def _options(method: str, default: bool) -> Schema:
    """Tie `method_options` to the method."""
    named = {"properties": {"method": {"const": method}}}
    known = {"propertyNames": {"enum": list(methods.option_names(method))}}
    return {
        "if": named if default else {**named, "required": ["method"]},
        "then": {"properties": {"method_options": known}},
    }
