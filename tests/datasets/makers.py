"""Small data sets in the formats that real ones come in, written without the code under test."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
from PIL import Image


def noise(seed, shape=(8, 8, 3), top=256):
    return np.random.default_rng(seed).integers(0, top, shape).astype(np.uint8)


def png(pixels, mode=None):
    """A PNG's bytes: pixels come back as they went in."""
    image = Image.fromarray(pixels)
    stream = io.BytesIO()
    (image.convert(mode) if mode else image).save(stream, "PNG")
    return stream.getvalue()


def write_zip(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write_folder(path, members):
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_mnist(folder, *, packed):
    """Both halves of a tiny MNIST; returns images and labels by split."""
    halves = {
        "train": (noise(1, (5, 6, 6)), np.array([3, 0, 9, 0, 3])),
        "t10k": (noise(2, (2, 6, 6)), np.array([9, 1])),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for half, (images, labels) in halves.items():
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            data = idx(array)
            name = f"{half}-{kind}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(data) if packed else data)
    return halves


def cifar_records(labels, images):
    """Records of the binary version: label bytes, then the red, green and blue planes."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([np.asarray(labels, np.uint8), planes], axis=1).tobytes()


def write_tar(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
