from .addresses import files_of as files_of
from .fields import FieldError as FieldError, read_field as read_field, read_planes as read_planes
from .indexing import index as index
from .ome_labels import label_address as label_address, read_labels as read_labels
from .plateindex import PlateIndex as PlateIndex
from .platemap import plate_maps as plate_maps
from .simulation import SimulatedPlate as SimulatedPlate, simulate as simulate
