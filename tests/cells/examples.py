"""How the tests crop."""

from typing import Any

from cellssl.cells import CropReport, crop
from cellssl.plates import PlateIndex


def run(index: PlateIndex, out: Any, **arguments: Any) -> CropReport:
    return crop(index, out, **{"size": 32, "progress": False, **arguments})
