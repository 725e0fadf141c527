"""scPortrait's ``.h5sc``: an AnnData whose images are float16 in [0, 1], masks first.

Its layout is that of scPortrait 1.8.0 (https://github.com/MannLabs/scPortrait). Older files put the
names under ``uns["single_cell_images/…"]`` instead of nesting them, which in HDF5 is the same place.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, write_elem

from cellssl.crops.batches import batches
from cellssl.crops.exchange.foreign import NAME, Foreign, Images, named_table
from cellssl.crops.exchange.tables import name_columns, whole_names
from cellssl.crops.layout import MASKS, create_file, create_masks, encode, require_room_in
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import atomic
from cellssl.progress import track

_LOG = logging.getLogger(__name__)
_IMAGES, _ABOUT, _OURS = "obsm/single_cell_images", "uns/single_cell_images", "uns/cellssl"
_ID = "scportrait_cell_id"
_MASK, _IMAGE = "mask", "image_channel"


def write_h5sc(crops: Crops, out: Path, *, shown: bool = False) -> None:
    """Write a file that scPortrait opens, and that `open_h5sc` turns back.

    Each channel is divided by a power of two above its brightest pixel, so that nothing is lost but
    what float16 cannot hold: of integers, those above 2,048 that need more than 11 bits. The divisors
    and the source's type are kept in ``uns["cellssl"]``, as are the masks as they were (scPortrait's
    know this cell only, not its neighbours).
    """
    divisors = _divisors(crops)
    layers, dtype = len(crops.mask_names), crops.dtype
    shape = (len(crops), layers + len(crops.channels), crops.size, crops.size)
    rounded, worst = 0, 0.0
    with atomic(out) as part, create_file(part) as file:
        images = file.create_dataset(
            _IMAGES,
            shape,
            np.float16,
            maxshape=(None, *shape[1:]),
            chunks=(1, 1, *shape[2:]),
            compression="gzip",
            compression_opts=1,
        )
        if layers:
            create_masks(file, np.empty((0, layers, *shape[2:]), np.uint8))
            file[MASKS].resize(len(crops), axis=0)
        for rows in track(batches(len(crops)), f"writing {out.name}", shown=shown):
            pixels, masks = crops.read(rows), crops.masks(rows)
            halves = (pixels / divisors[:, None, None]).astype(np.float16)
            off = np.abs(_decode(halves, divisors, dtype).astype(np.float64) - pixels)
            rounded, worst = rounded + int(np.count_nonzero(off)), max(worst, float(off.max()))
            require_room_in(file, halves.nbytes + (0 if masks is None else 3 * masks.nbytes))
            images[rows, layers:] = halves
            if masks is not None:
                images[rows, :layers] = masks == 1
                file[MASKS][rows] = masks
        _describe(file, crops, {"dtype": str(dtype), "divisors": divisors})
    _say_what_is_lost(out, rounded, math.prod(crops.shape), worst)


def _say_what_is_lost(out: Path, rounded: int, pixels: int, worst: float) -> None:
    if rounded:
        _LOG.warning(
            "%s: .h5sc holds float16: %s %% of the pixels are rounded, by at most %g",
            out,
            f"{share:.0f}" if (share := 100 * rounded / pixels) >= 10 else f"{share:.2g}",
            worst,
        )
    else:
        _LOG.info("%s: all pixels are kept exactly, as float16", out)


def _divisors(crops: Crops) -> np.ndarray:
    """Give for each channel the power of two that brings it into [0, 1]: (C,) float64."""
    highest = np.zeros(len(crops.channels))
    for rows in batches(len(crops)):
        pixels = crops.read(rows).swapaxes(0, 1)
        flat = pixels.reshape(len(pixels), -1).astype(np.float64)
        highest = np.maximum(highest, np.abs(flat).max(axis=1))
    # frexp: x = m 2^e with m < 1, so that 2^e is above x.
    return np.exp2(np.frexp(np.where(highest > 0, highest, 0.5))[1]).astype(np.float64)


def _decode(halves: np.ndarray, divisors: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Undo what `write_h5sc` does; an integer that was rounded beyond its type becomes the highest of it."""
    values = halves.astype(np.float64) * divisors[:, None, None]
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    return values.astype(dtype)


def _describe(file: h5py.File, crops: Crops, coding: Mapping[str, Any]) -> None:
    """Write cells, channels and all that scPortrait asks for, in ``uns`` and on the images."""
    names = [*crops.mask_names, *crops.channels]
    mapping = [_MASK] * len(crops.mask_names) + [_IMAGE] * len(crops.channels)
    obs = named_table(crops)
    obs.insert(0, _ID, np.arange(1, len(obs) + 1, dtype=np.uint64))
    obs.index = obs.index.astype(str)  # scPortrait reads it as row numbers
    var = pd.DataFrame({"channels": names, "channel_mapping": mapping})
    var.index = var.index.astype(str)
    require_room_in(file, int(obs.memory_usage(deep=True).sum()))
    write_elem(file, "obs", obs)
    write_elem(file, "var", var)
    about = {
        "n_cells": len(crops),
        "n_channels": len(names),
        "n_masks": len(crops.mask_names),
        "n_image_channels": len(crops.channels),
        "image_size": crops.size,
        "normalization": False,
        "compression": "gzip",
    }
    texts = {"channel_names": names, "channel_mapping": mapping}
    span = {"normalization_range_lower": 0.0, "normalization_range_upper": 1.0}
    arrays = {key: np.asarray(value, dtype=object) for key, value in texts.items()}
    write_elem(file["uns"], "single_cell_images", {**about, **span, **arrays})
    write_elem(file["uns"], "cellssl", {**crops.uns["cellssl"], "h5sc": dict(coding)})
    encode(file[_IMAGES], "array", "0.2.0")
    coded = {key: np.array([name.encode() for name in value]) for key, value in texts.items()}
    file[_IMAGES].attrs.update({**about, **coded, "normalization_range": (0.0, 1.0)})


@contextmanager
def open_h5sc(path: Path, *, columns: dict[str, str]) -> Iterator[Foreign]:
    """Open a ``.h5sc``, of scPortrait or of `write_h5sc`."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CropError(f"{path} is not readable HDF5 ({error}): copy it again") from error
    with file:
        try:
            foreign = _foreign(file, path, columns)
        except (KeyError, OSError, ValueError, TypeError, RuntimeError) as error:
            raise CropError(
                f"{path} is not scPortrait's .h5sc, or it is damaged ({error}); wanted "
                f"{_IMAGES} with the names of its channels, and obs"
            ) from error
        yield foreign


def _foreign(file: h5py.File, path: Path, columns: dict[str, str]) -> Foreign:
    images, obs = file[_IMAGES], read_elem(file["obs"])
    names, mapping = _texts(file, "channel_names"), _texts(file, "channel_mapping")
    layers = mapping.count(_MASK)
    ordered = mapping == [_MASK] * layers + [_IMAGE] * (len(names) - layers)
    if images.ndim != 4 or images.shape[:2] != (len(obs), len(names)) or not ordered:
        raise ValueError(
            f"images of shape {images.shape}, {len(obs)} rows of cells, channels {names}: {mapping}"
        )
    foreign = Foreign(
        path=path,
        shape=(len(images), len(names) - layers, *images.shape[2:]),
        dtype=images.dtype,
        read=_soft_masks(images, layers, path),
        table=obs,
        channels=tuple(names[layers:]),
        masks=tuple(names[:layers]),
    )
    if NAME in obs and _OURS in file:
        return _decoding(foreign, file)
    categories = obs.select_dtypes("category").columns  # as anndata stores texts that repeat
    plain = obs.astype(dict.fromkeys(categories, object)).infer_objects()
    called = name_columns(obs, columns)
    return replace(foreign, table=whole_names(plain, called), names=called)


def _decoding(foreign: Foreign, file: h5py.File) -> Foreign:
    """Read what `write_h5sc` wrote as it was before."""
    ours = read_elem(file[_OURS])
    coding = ours.pop("h5sc")
    divisors, dtype = np.asarray(coding["divisors"]), np.dtype(str(coding["dtype"]))
    if dtype.kind not in "uif" or divisors.shape != (len(foreign.channels),):
        raise ValueError(f"divisors {divisors.tolist()} of {dtype} for {foreign.channels}")
    layers, images = len(foreign.masks), file[_IMAGES]
    masks = file[MASKS] if layers and MASKS in file else None
    if layers and masks is None:
        # Written again by scPortrait, which leaves out what it has no use for.
        _LOG.warning("%s: its masks know the cells, and no longer their neighbours", foreign.path)
    if masks is not None and masks.shape != (len(images), layers, *images.shape[2:]):
        raise ValueError(f"masks of shape {masks.shape} for images of shape {images.shape}")

    def read(rows: slice) -> Images:
        halves, plain = foreign.read(rows)
        return _decode(halves, divisors, dtype), plain if masks is None else masks[rows]

    table = foreign.table.drop(columns=_ID)
    return replace(foreign, read=read, dtype=dtype, table=table, about=ours)


def _soft_masks(images: h5py.Dataset, layers: int, path: Path) -> Callable[[slice], Images]:
    """Read scPortrait's own: its masks have blurred edges, ours are cut at a half."""
    told = False

    def read(rows: slice) -> Images:
        nonlocal told
        block = images[rows]
        masks = block[:, :layers]
        soft = not np.isin(masks, (0, 1)).all()
        if soft and not told:
            _LOG.warning("%s: its masks have soft edges; they are cut at one half", path)
            told = True
        return block[:, layers:], (masks > 0.5).astype(np.uint8) if layers else None

    return read


def _texts(file: h5py.File, key: str) -> list[str]:
    """Read a list of names from ``uns``, else from the images' attributes."""
    stored = read_elem(file[f"{_ABOUT}/{key}"]) if f"{_ABOUT}/{key}" in file else None
    values = file[_IMAGES].attrs[key] if stored is None else stored
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
