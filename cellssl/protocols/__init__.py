"""Protocols: one YAML file says what an encoder is made blind to, why, and how it is trained."""

from cellssl.protocols.building import build_encoder, build_method, build_views, choose_channels
from cellssl.protocols.changing import parse_value, resolve
from cellssl.protocols.checking import Finding, check, require_fit
from cellssl.protocols.describing import describe
from cellssl.protocols.loading import dump, from_dict, load, loads, names
from cellssl.protocols.protocol import Crop, Protocol, ScalingRule

__all__ = [
    "Crop",
    "Finding",
    "Protocol",
    "ScalingRule",
    "build_encoder",
    "build_method",
    "build_views",
    "check",
    "choose_channels",
    "describe",
    "dump",
    "from_dict",
    "load",
    "loads",
    "names",
    "parse_value",
    "require_fit",
    "resolve",
]
