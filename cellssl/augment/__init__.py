"""Batched augmentations: parameters for every sample, drawn from counters, composed into views."""

from cellssl.augment.counters import make_keys
from cellssl.augment.draws import Draws
from cellssl.augment.operation import ChannelWise, Geometry, Masking, Operation, Params, Pixel
from cellssl.augment.operations import catalogue, operation_named
from cellssl.augment.resampling import centre_crop
from cellssl.augment.view import View
from cellssl.augment.views import Views

__all__ = [
    "ChannelWise",
    "Draws",
    "Geometry",
    "Masking",
    "Operation",
    "Params",
    "Pixel",
    "View",
    "Views",
    "catalogue",
    "centre_crop",
    "make_keys",
    "operation_named",
]
