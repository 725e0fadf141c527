from .brightness import compare_brightness as compare_brightness
from .exchange.exports import export_crops as export_crops
from .exchange.features import import_features as import_features
from .exchange.imports import import_crops as import_crops
from .joining import join_crops as join_crops
from .labelling import label_crops as label_crops
from .layout import crop_file as crop_file
from .magnification import (
    compare_magnification as compare_magnification,
    unlike_nuclei as unlike_nuclei,
)
from .percentiles import PercentileTable as PercentileTable
from .scaling import (
    FittedScaling as FittedScaling,
    Scaling as Scaling,
    fit_scaling as fit_scaling,
    scale as scale,
)
from .store import Crops as Crops
from .writer import CropBatch as CropBatch, write_crops as write_crops
