"""The form of a protocol file as a JSON Schema, for editors that complete and check as one types."""

from typing import get_args

from pydantic import BaseModel

from cellssl import encoders, methods
from cellssl.augment import Operation, catalogue
from cellssl.augment.quantities import NAMES, Schema
from cellssl.protocols.editing import EDITS
from cellssl.protocols.operation_schema import operation_keys, operation_list
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

_UNITS = {"size": "px", "percentiles": "%", "checkpoint_minutes": "min", "warmup_epochs": "epochs"}
_PLATES: Schema = {**NAMES, "items": {"type": ["string", "integer"], "minLength": 1}}
_NOTHING: Schema = {"type": "null"}


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
    edits = _edits(operations)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cellssl protocol",
        "description": "What an encoder is made blind to, why, and how it is trained.",
        "type": "object",
        "properties": {
            **_protocol_keys(edits),
            "extends": {
                "type": "string",
                "minLength": 1,
                "description": "name or file of a protocol whose values hold where this file says "
                "nothing; the description is this file's own",
            },
            **edits,
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


def _groups(edits: Schema) -> Schema:
    return {
        "type": "object",
        "minProperties": 2,
        "propertyNames": {"pattern": "^[^/:]+$"},
        "additionalProperties": {
            "type": "object",
            "properties": edits,
            "additionalProperties": False,
        },
    }


def _without(*keys: str) -> Schema:
    """Allow none of these keys."""
    return {"not": {"anyOf": [{"required": [key]} for key in keys]}}


def _keys(model: type[BaseModel], **special: Schema) -> Schema:
    """Give the keys of a model as pydantic knows them, with units and without its titles.

    `special` are keys that it cannot know well enough.
    """
    known = model.model_json_schema()["properties"]
    keys = {}
    for name, field in model.model_fields.items():
        unit = {"x-unit": _UNITS[name]} if name in _UNITS else {}
        about = f"{field.description} ({_UNITS[name]})" if unit else field.description
        described = {"description": about, **unit}
        plain = {key: value for key, value in known[name].items() if key != "title"}
        keys[name] = {**described, **special[name]} if name in special else {**plain, **described}
    return keys


def _block(model: type[BaseModel], **special: Schema) -> Schema:
    """Give a block of a model's keys."""
    return {
        "type": "object",
        "properties": _keys(model, **special),
        "additionalProperties": False,
    }


def _optional(kind: Schema) -> Schema:
    """Allow a value to be left out."""
    return {"anyOf": [kind, _NOTHING], "default": None}


def _protocol_keys(edits: Schema) -> Schema:
    labels_used = _block(LabelsUsed, columns=NAMES, plates=_optional(_PLATES))
    return _keys(
        Protocol,
        version={
            "description": f"{Protocol.model_fields['version'].description}; 1 when left out",
            "enum": list(range(1, VERSION + 1)),
        },
        channels={"anyOf": [{"const": "any"}, NAMES]},
        crop=_block(Crop, scaling=_scaling()),
        positives=_positives(),
        views=_views(),
        groups=_groups(edits),
        labels_used={**labels_used, "required": ["columns"]},
        training=_training(),
    )


def _scaling() -> Schema:
    """Give the scaling block; pydantic does not see what a percentile may be."""
    percentiles = {
        "default": list(ScalingRule.model_fields["percentiles"].default),
        "type": "array",
        "items": {"type": "number", "minimum": 0, "maximum": 100},
        "minItems": 2,
        "maxItems": 2,
    }
    return _block(ScalingRule, percentiles=percentiles)


def _positives() -> Schema:
    """Give one word, or keys and values."""
    words = list(get_args(Positives.model_fields["kind"].annotation))
    plates = _optional(_PLATES)
    long = {
        "description": Protocol.model_fields["positives"].description,
        **_block(Positives, columns=_optional(NAMES), plates=plates, exclude_plates=plates),
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": "same_treatment"}}},
                "else": {"properties": {"another_plate": {"const": False}, "columns": _NOTHING}},
            },
            {
                "if": {"properties": {"kind": {"const": "same_cell"}}},
                "then": {"properties": {"plates": _NOTHING, "exclude_plates": _NOTHING}},
            },
            {
                "anyOf": [
                    {"properties": {"plates": _NOTHING}},
                    {"properties": {"exclude_plates": _NOTHING}},
                ]
            },
        ],
    }
    return {"default": "same_cell", "anyOf": [{"enum": words}, long]}


def _views() -> Schema:
    """Give a list of lists of operations, or of operations with count and size."""
    listed = {"$ref": "#/$defs/operations"}
    operations = {"description": "a list of operations, in order", **listed}
    long = {
        "description": "one view, or several alike",
        **_block(ViewRecipe, operations=operations),
        "required": ["operations"],
    }
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_VIEWS,
        "items": {"anyOf": [listed, long]},
    }


def _training() -> Schema:
    """Give the training block, with the options of each method."""
    keys, known = _keys(TrainingSettings), methods.names(labelled=True)
    block = _block(
        TrainingSettings,
        method={**keys["method"], "enum": list(known)},
        encoder={**keys["encoder"], "enum": list(encoders.names())},
    )
    default = TrainingSettings.model_fields["method"].default
    return {**block, "allOf": [_options(name, name == default) for name in known]}


def _options(method: str, default: bool) -> Schema:
    """Tie `method_options` to the method."""
    named = {"properties": {"method": {"const": method}}}
    known = {"propertyNames": {"enum": list(methods.option_names(method))}}
    return {
        "if": named if default else {**named, "required": ["method"]},
        "then": {"properties": {"method_options": known}},
    }
