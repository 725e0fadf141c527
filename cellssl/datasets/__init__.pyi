from .crop_source import CropSource as CropSource
from .downloads import (
    get_data as get_data,
    load_manifest as load_manifest,
    manifest_names as manifest_names,
    verify_data as verify_data,
)
from .importing import import_images as import_images
from .source import Source as Source
