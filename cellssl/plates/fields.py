"""One field of view: its channels, wherever their planes lie, read into one array."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cellssl.plates.addresses import Address
from cellssl.plates.planes import FieldError, PlaneReader

if TYPE_CHECKING:
    import pandas as pd


def read_field(
    field: "Mapping[Any, Any] | pd.Series | Sequence[str | Path]",
    channels: Sequence[str] | None = None,
) -> np.ndarray:
    """Read a field as it was written, one plane per channel.

    Parameters
    ----------
    field
        A row of `PlateIndex.fields` (it has a ``Path_<channel>`` for each channel), a mapping from
        channel to address, or just the addresses in the order wanted. An address is a path, or
        says which page, plane or projection is meant: see `cellssl.plates.addresses`.
    channels
        The channels wanted, in this order; by default all that `field` has.

    Returns
    -------
    np.ndarray
        (C, Y, X) in the files' own dtype; of 8 and 16 bits side by side in the wider, which loses
        nothing. Only the planes that are needed are read, and those of a projection one after the
        other.

    Raises
    ------
    FieldError
        When a file is missing, empty, truncated or neither TIFF nor PNG, is not a single grey plane (RGB,
        stack, several pages) where no page is said, or when channels differ in shape or in kind
        of number. The file is named.
    """
    return np.stack(read_planes(field, channels))


def read_planes(
    field: "Mapping[Any, Any] | pd.Series | Sequence[str | Path]",
    channels: Sequence[str] | None = None,
) -> list[np.ndarray]:
    """Read the channels of a field as `read_field` does, each (Y, X) in its own dtype."""
    addresses = _addresses(field, channels)
    with PlaneReader() as reader:
        planes = [reader.read(Address.parse(address)) for address in addresses]
    check_alike(addresses, planes)
    return planes


def check_alike(addresses: Sequence[str | Path], planes: Sequence[np.ndarray]) -> None:
    """Make sure that the channels of a field have one size and one kind of pixel.

    Raises
    ------
    FieldError
        When they do not; says how to mend it.
    """
    first = planes[0]
    for address, plane in zip(addresses, planes, strict=True):
        if plane.shape != first.shape:
            raise FieldError(
                f"{address} is {_size(plane)} pixels, but {Path(addresses[0]).name} of the same "
                f"field is {_size(first)}: the channels of a field must have one size. Export them with one "
                "binning, or leave a channel out when indexing, by naming the others with --channel."
            )
        if plane.dtype != first.dtype and {plane.dtype.kind, first.dtype.kind} != {"u"}:
            raise FieldError(
                f"{address} is {plane.dtype}, but {Path(addresses[0]).name} of the same field is "
                f"{first.dtype}: the channels of a field must have one pixel type. Export them all with 16 "
                "bits, or leave a channel out when indexing, by naming the others with --channel."
            )


def _addresses(
    field: "Mapping[Any, Any] | pd.Series | Sequence[str | Path]", channels: Sequence[str] | None
) -> list[str | Path]:
    if isinstance(field, Sequence):
        if not field or (channels is not None and len(field) != len(channels)):
            wanted = "at least one" if channels is None else f"{len(channels)}"
            raise FieldError(f"got {len(field)} paths of a field, wanted {wanted}.")
        return list(field)
    paths = {
        str(key).removeprefix("Path_"): value
        for key, value in field.items()
        if not str(key).startswith("Metadata_")
    }
    missing = [name for name in channels or () if name not in paths]
    if missing or not paths:
        raise FieldError(
            f"the field has no channel {', '.join(map(repr, missing))}; it has {', '.join(paths)}."
        )
    return [paths[name] for name in (paths if channels is None else channels)]


def _size(plane: np.ndarray) -> str:
    return " × ".join(map(str, plane.shape))
