"""From scaled pixels back to light, and forth: for what adds, spreads or is counted as light."""

import math
from typing import Literal

from torch import Tensor

Transform = Literal["linear", "sqrt", "log"]  # the protocol's `crop.scaling.transform`
_STEEPNESS = 100.0  # of the log transform, as in `cellssl.crops.scale`
_TOP = math.log1p(_STEEPNESS)
_MOST = 8.0  # of the scaled range: light of more would soon be infinite, and then not a number


def to_light(images: Tensor, transform: Transform) -> Tensor:
    """Undo the curve of the intensity scaling: images in [0, 1] become proportional to light."""
    if transform == "sqrt":
        return images.clamp(min=0.0).square()
    if transform == "log":
        return (images.clamp(max=_MOST) * _TOP).expm1() / _STEEPNESS
    return images


def from_light(light: Tensor, transform: Transform) -> Tensor:
    """Apply the curve again; light below 0 becomes 0."""
    if transform == "sqrt":
        return light.clamp(min=0.0).sqrt()
    if transform == "log":
        return (light.clamp(min=0.0) * _STEEPNESS).log1p() / _TOP
    return light
