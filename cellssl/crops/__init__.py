"""The crop AnnData on disk: write, read at random, scale, import."""

from cellssl.crops.imports import import_crops
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
    "fit_scaling",
    "import_crops",
    "scale",
    "write_crops",
]
