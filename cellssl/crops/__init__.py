"""The crop AnnData on disk: write, read at random, scale, join, import and export."""

from cellssl.crops.exports import export_crops
from cellssl.crops.features import import_features
from cellssl.crops.imports import import_crops
from cellssl.crops.joining import join_crops
from cellssl.crops.percentiles import PercentileTable
from cellssl.crops.scaling import FittedScaling, Scaling, fit_scaling, scale
from cellssl.crops.store import Crops, crop_file
from cellssl.crops.writer import CropBatch, write_crops

__all__ = [
    "CropBatch",
    "Crops",
    "FittedScaling",
    "PercentileTable",
    "Scaling",
    "crop_file",
    "export_crops",
    "fit_scaling",
    "import_crops",
    "import_features",
    "join_crops",
    "scale",
    "write_crops",
]
