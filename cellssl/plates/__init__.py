"""Plates: files become a table of fields, a field becomes an array; plates can be simulated."""

from typing import TYPE_CHECKING, Any

from cellssl.plates.addresses import files_of
from cellssl.plates.fields import FieldError, read_field
from cellssl.plates.indexing import index
from cellssl.plates.plateindex import PlateIndex
from cellssl.plates.platemap import plate_maps
from cellssl.plates.wells import normalise_well

if TYPE_CHECKING:
    from cellssl.plates.simulation import SimulatedPlate, simulate

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


def __getattr__(name: str) -> Any:
    if name in ("SimulatedPlate", "simulate"):  # at first use: who reads real plates draws none
        from cellssl.plates import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module 'cellssl.plates' has no attribute '{name}'")
