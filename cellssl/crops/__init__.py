"""The crop AnnData on disk: write, read at random, scale, join, import and export."""

from typing import TYPE_CHECKING

from cellssl.lazy import at_first_use

if TYPE_CHECKING:
    from cellssl.crops.brightness import compare_brightness
    from cellssl.crops.exchange.exports import export_crops
    from cellssl.crops.exchange.features import import_features
    from cellssl.crops.exchange.imports import import_crops
    from cellssl.crops.joining import join_crops
    from cellssl.crops.labelling import label_crops
    from cellssl.crops.layout import crop_file
    from cellssl.crops.magnification import compare_magnification, unlike_nuclei
    from cellssl.crops.percentiles import PercentileTable
    from cellssl.crops.scaling import FittedScaling, Scaling, fit_scaling, scale
    from cellssl.crops.store import Crops
    from cellssl.crops.writer import CropBatch, write_crops

__all__ = [
    "CropBatch",
    "Crops",
    "FittedScaling",
    "PercentileTable",
    "Scaling",
    "compare_brightness",
    "compare_magnification",
    "crop_file",
    "export_crops",
    "fit_scaling",
    "import_crops",
    "import_features",
    "join_crops",
    "label_crops",
    "scale",
    "unlike_nuclei",
    "write_crops",
]

# Loaded at first use: the workers that cut fields pack masks, and need nothing else of a crop file.
_homes = {
    "CropBatch": "writer",
    "Crops": "store",
    "FittedScaling": "scaling",
    "PercentileTable": "percentiles",
    "Scaling": "scaling",
    "compare_brightness": "brightness",
    "compare_magnification": "magnification",
    "crop_file": "layout",
    "export_crops": "exchange.exports",
    "fit_scaling": "scaling",
    "import_crops": "exchange.imports",
    "import_features": "exchange.features",
    "join_crops": "joining",
    "label_crops": "labelling",
    "scale": "scaling",
    "unlike_nuclei": "magnification",
    "write_crops": "writer",
}


__getattr__ = at_first_use(__name__, _homes)
