"""Plates: files become a table of fields, a field becomes an array; plates can be simulated."""

from typing import TYPE_CHECKING

from cellssl.lazy import at_first_use

if TYPE_CHECKING:
    from cellssl.plates.addresses import files_of
    from cellssl.plates.fields import FieldError, read_field, read_planes
    from cellssl.plates.indexing import index
    from cellssl.plates.ome_labels import label_address, read_labels
    from cellssl.plates.plateindex import PlateIndex
    from cellssl.plates.platemap import plate_maps
    from cellssl.plates.simulation import SimulatedPlate, simulate

__all__ = [
    "FieldError",
    "PlateIndex",
    "SimulatedPlate",
    "files_of",
    "index",
    "label_address",
    "plate_maps",
    "read_field",
    "read_labels",
    "read_planes",
    "simulate",
]

# Loaded at first use: the workers that cut fields need no tables, and who reads plates draws none.
_homes = {
    "FieldError": "fields",
    "PlateIndex": "plateindex",
    "SimulatedPlate": "simulation",
    "files_of": "addresses",
    "index": "indexing",
    "label_address": "ome_labels",
    "plate_maps": "platemap",
    "read_field": "fields",
    "read_labels": "ome_labels",
    "read_planes": "fields",
    "simulate": "simulation",
}


__getattr__ = at_first_use(__name__, _homes)
