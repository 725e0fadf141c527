"""What a path holds: pictures in folders or a zip, MNIST or CIFAR."""

import tarfile
import zipfile
from pathlib import Path

from cellssl.datasets.cifar import holds_cifar, read_cifar_files, read_cifar_tar
from cellssl.datasets.decoding import SUFFIXES
from cellssl.datasets.mnist import find_idx, read_mnist
from cellssl.datasets.picture import PictureSource
from cellssl.datasets.pictures import FolderPictures, ZipPictures
from cellssl.errors import CropError

_WANTED = (
    "wanted a folder or .zip of pictures (JPEG, PNG, TIFF, BMP; class folders inside, if there are "
    "classes), MNIST's IDX files, or CIFAR's binary version (folder, .bin or .tar.gz)"
)


def recognise(path: str | Path, name: str | None = None) -> PictureSource:
    """Open whatever holds pictures.

    Parameters
    ----------
    path : path
        A folder, a .zip, an IDX file, a .bin file or a .tar.gz.
    name : str, optional
        The data set's name; by default it is told by the path.

    Raises
    ------
    CropError
        When it is missing or nothing that is known, or holds no picture.
    """
    path = Path(path)
    if not path.name or ".." in path.parts:
        path = path.resolve()  # "." and ".." name no data set
    if not path.exists():
        raise CropError(f"there is nothing at {path}; {_WANTED}")
    source = _open_folder(path, name) if path.is_dir() else _open_file(path, name)
    if not source.pictures:
        raise CropError(f"{path} holds no picture{_list_archives(path)}; {_WANTED}")
    return source


def _open_folder(path: Path, name: str | None) -> PictureSource:
    for folder in (path, *_only_folder(path)):
        if files := find_idx(folder):
            return read_mnist(path, files, name)
        entries = sorted(folder.iterdir())
        if holds_cifar([entry.name for entry in entries if entry.is_file()], path):
            return read_cifar_files(path, entries, name)
    return FolderPictures(path, name)


def _only_folder(path: Path) -> list[Path]:
    """Give the one folder inside, where there is nothing else: ``MNIST/raw`` is meant by MNIST."""
    inside = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    return inside if len(inside) == 1 and inside[0].is_dir() else []


def _open_file(path: Path, name: str | None) -> PictureSource:
    if zipfile.is_zipfile(path):
        return ZipPictures(path, name)
    lower = path.name.lower()
    if "idx1" in lower and "labels" in lower:
        raise CropError(
            f"{path} holds labels: name the pictures (…-images-idx3-ubyte) or their folder, labels "
            "are found beside them"
        )
    if "idx3" in lower:
        return read_mnist(path, [path], name)
    if holds_cifar([path.name], path):
        return read_cifar_files(path, [path], name)
    if lower.endswith((".tar.gz", ".tgz", ".tar")) or tarfile.is_tarfile(path):
        return read_cifar_tar(path, name)
    if lower.endswith(".zip"):
        raise CropError(f"{path} is no zip archive by its content, or cut off: get it anew")
    if lower.endswith(SUFFIXES):
        raise CropError(f"{path} is one picture: name the folder that it lies in")
    raise CropError(f"{path} is nothing that pictures are read from; {_WANTED}")


def _list_archives(path: Path) -> str:
    """Say which archives lie in a folder without pictures."""
    if not path.is_dir():
        return ""
    archives = sorted(file.name for file in path.iterdir() if file.suffix in (".zip", ".gz"))
    if not archives:
        return ""
    return f", but {', '.join(archives[:4])}: name the archives themselves"
