"""Plates: files become a table of fields, a field becomes an array; plates can be simulated."""

from cellssl.plates.addresses import files_of
from cellssl.plates.fields import FieldError, read_field
from cellssl.plates.indexing import index
from cellssl.plates.plateindex import PlateIndex
from cellssl.plates.platemap import plate_maps
from cellssl.plates.simulation import SimulatedPlate, simulate
from cellssl.plates.wells import normalise_well

__all__ = [
    "FieldError",
    "PlateIndex",
    "SimulatedPlate",
    "files_of",
    "index",
    "normalise_well",
    "plate_maps",
    "read_field",
    "simulate",
]
