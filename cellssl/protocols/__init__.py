"""Protocols: one YAML file says what an encoder is made blind to, why, and how it is trained."""

from cellssl.protocols.building import (
    build_encoder,
    build_method,
    build_views,
    choose_channels,
    expand_groups,
)
from cellssl.protocols.changing import parse_value, resolve
from cellssl.protocols.checking import Finding, check, refuse_errors, require_fit
from cellssl.protocols.comparing import diff
from cellssl.protocols.describing import describe, summarise
from cellssl.protocols.loading import dump, extend, from_dict, load, loads
from cellssl.protocols.pairing import build_partners, used_labels
from cellssl.protocols.protocol import (
    Crop,
    LabelsUsed,
    Positives,
    Protocol,
    ScalingRule,
    ViewRecipe,
)
from cellssl.protocols.schema import schema
from cellssl.protocols.vocabulary import explain_operation, operations
from cellssl.shipped import protocol_names as names

__all__ = [
    "Crop",
    "Finding",
    "LabelsUsed",
    "Positives",
    "Protocol",
    "ScalingRule",
    "ViewRecipe",
    "build_encoder",
    "build_method",
    "build_partners",
    "build_views",
    "check",
    "choose_channels",
    "describe",
    "diff",
    "dump",
    "expand_groups",
    "explain_operation",
    "extend",
    "from_dict",
    "load",
    "loads",
    "names",
    "operations",
    "parse_value",
    "refuse_errors",
    "require_fit",
    "resolve",
    "schema",
    "summarise",
    "used_labels",
]
