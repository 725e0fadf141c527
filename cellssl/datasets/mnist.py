"""MNIST and its kin: pictures and labels in the IDX format, gzipped or not."""

import gzip
import logging
import math
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cellssl.datasets.picture import ArrayPictures, Picture, data_set_name, split_of
from cellssl.errors import CropError

_LOG = logging.getLogger(__name__)
_IMAGES = re.compile(r"(.*?)[-_.]?images[-_.]idx3[-_.]ubyte(\.gz)?", re.IGNORECASE)
_UBYTE = 8  # IDX's number for unsigned bytes
_MOST_BYTES = 2**32  # EMNIST, the largest of its kind, has 0.6 GB


def find_idx(folder: Path) -> list[Path]:
    """Find files of pictures in a folder; of one that is there packed and unpacked, the latter."""
    found = sorted(path for path in folder.iterdir() if _IMAGES.fullmatch(path.name))
    unpacked = {path.name for path in found if path.suffix != ".gz"}
    return [path for path in found if path.suffix != ".gz" or path.stem not in unpacked]


def read_mnist(path: Path, files: Sequence[Path], name: str | None = None) -> ArrayPictures:
    """Read pictures with the labels that lie beside them.

    Parameters
    ----------
    path : Path
        What the user named.
    files : sequence of Path
        Files like ``train-images-idx3-ubyte.gz``; the labels are ``train-labels-idx1-ubyte``, with
        or without ``.gz``. Without labels the pictures are unlabelled.
    name : str, optional
        The data set's name, by default the folder's.

    Returns
    -------
    ArrayPictures
        (N, H, W) uint8; the class is the digit as text.

    Raises
    ------
    CropError
        When a file is not IDX, truncated, or labels do not fit the pictures.
    """
    images: list[np.ndarray] = []
    pictures: list[Picture] = []
    for file in files:
        array = _read_idx(file, axes=3)
        pictures += _make_pictures(file, _labels(file, len(array)), len(pictures), name)
        images.append(array)
    if len({array.shape[1:] for array in images}) > 1:
        sizes = ", ".join(f"{array.shape[2]}×{array.shape[1]}" for array in images)
        raise CropError(f"{path} has IDX files of {sizes} px: import them one by one with --size")
    return ArrayPictures(path, np.concatenate(images), pictures)


def _make_pictures(file: Path, labels: list[str], start: int, name: str | None) -> list[Picture]:
    found = _IMAGES.fullmatch(file.name)
    prefix, split = split_of(found[1] if found else file.stem)
    plate = name or data_set_name(file.absolute().parent)
    parts = [part for part in (plate, prefix, split) if part]
    return [
        Picture("/".join([*parts, str(number)]), plate, split, label, start + number)
        for number, label in enumerate(labels)
    ]


def _labels(images: Path, count: int) -> list[str]:
    """Read the labels beside a file of pictures, as text; capitals do not count in names."""
    name = images.name.lower().replace("images", "labels").replace("idx3", "idx1")
    plain = name.removesuffix(".gz")
    beside = {path.name.lower(): path for path in images.parent.iterdir() if path.is_file()}
    file = next((beside[one] for one in (name, plain, f"{plain}.gz") if one in beside), None)
    if file is None:
        _LOG.warning("%s: no labels, since %s is not there", images, plain)
        return [""] * count
    labels = _read_idx(file, axes=1)
    if len(labels) != count:
        raise CropError(
            f"{file} has {len(labels)} labels, and {images.name} has {count} pictures: they belong "
            "to different sets, or one is damaged"
        )
    return [str(label) for label in labels]


def _read_idx(file: Path, *, axes: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes (http://yann.lecun.com/exdb/mnist/, "file format")."""
    try:
        with _open(file) as stream:
            header = stream.read(4 + 4 * axes)
            if header[:4] != bytes((0, 0, _UBYTE, axes)) or len(header) < 4 + 4 * axes:
                raise CropError(
                    f"{file} begins with {header[:4].hex() or 'nothing'}, wanted IDX with {axes} "
                    f"axes of unsigned bytes ({bytes((0, 0, _UBYTE, axes)).hex()}): get the original"
                )
            shape = struct.unpack(f">{axes}I", header[4:])
            wanted = math.prod(shape)
            if wanted > _MOST_BYTES:
                raise CropError(f"{file} says that it holds {shape}, more than {_MOST_BYTES} bytes")
            data = stream.read(wanted)
            longer = bool(stream.read(1))
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise CropError(f"{file} cannot be read ({error}): it is damaged, get it anew") from error
    if len(data) != wanted or longer:
        raise CropError(
            f"{file} holds {'more' if longer else len(data)} bytes, wanted {wanted} for "
            f"{' × '.join(map(str, shape))}: it is damaged, get it anew"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _open(file: Path) -> BinaryIO:
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(file, "rb") if packed else file.open("rb")  # type: ignore[return-value]
