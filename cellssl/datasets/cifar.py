"""CIFAR-10 and CIFAR-100 in their binary version: a folder, a file, or the archive as it comes."""

import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cellssl.datasets.picture import ArrayPictures, Picture
from cellssl.errors import CropError

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_MOST_BYTES = 2**28  # the largest file, CIFAR-100's train.bin, has 154 MB


@dataclass(frozen=True)
class _Layout:
    """How one of the two data sets is laid down.

    A record is the labels, a byte each and the coarsest first, then 1,024 red, green and blue bytes
    (https://www.cs.toronto.edu/~kriz/cifar.html, "binary version").
    """

    plate: str
    files: Mapping[str, str]  # the file's stem → the split
    names: tuple[str, ...]  # the files with the names of each label, in the order of the bytes
    classes: tuple[int, ...]


_TEN = _Layout(
    plate="cifar10",
    files={**{f"data_batch_{n}": "train" for n in range(1, 6)}, "test_batch": "test"},
    names=("batches.meta.txt",),
    classes=(10,),
)
_HUNDRED = _Layout(
    plate="cifar100",
    files={"train": "train", "test": "test"},
    names=("coarse_label_names.txt", "fine_label_names.txt"),
    classes=(20, 100),
)
_LAYOUTS = {stem: layout for layout in (_TEN, _HUNDRED) for stem in layout.files}
_NAME_FILES = {*_TEN.names, *_HUNDRED.names}
_PICKLES = {"batches.meta", "data_batch_1", "test_batch", "meta"}


def holds_cifar(names: Iterable[str], path: Path) -> bool:
    """Say whether files are CIFAR's, by their names.

    Raises
    ------
    CropError
        When they are the python version: its pickles can run any code when they are read.
    """
    names = {PurePosixPath(name).name for name in names}
    if any(_is_batch(name) for name in names):
        return True
    pickles = names & _PICKLES
    if pickles and ({"data_batch_1", "test_batch", "train", "test"} & names):
        raise CropError(
            f"{path} is CIFAR's python version ({sorted(pickles)[0]}): pickles, which can run any "
            "code when they are read, and are not read here; get the binary version "
            "(cifar-10-binary.tar.gz, cifar-100-binary.tar.gz) from the same page"
        )
    return False


def read_cifar_files(path: Path, files: Iterable[Path], name: str | None = None) -> ArrayPictures:
    """Read ``.bin`` files and the names of classes that lie beside them."""
    bins = sorted(file for file in files if _is_batch(file.name))
    beside = {file.with_name(names) for file in bins for names in _NAME_FILES}
    contents = {}
    for file in [*bins, *sorted(beside)]:
        if file.is_file():
            _check_length(file.stat().st_size, file)
            contents[file.name] = file.read_bytes()
    return _decode(path, contents, name)


def read_cifar_tar(path: Path, name: str | None = None) -> ArrayPictures:
    """Read ``cifar-10-binary.tar.gz`` or its like in memory; nothing is extracted.

    Raises
    ------
    CropError
        When the archive is damaged, holds pickles or something else.
    """
    contents: dict[str, bytes] = {}
    names: list[str] = []
    try:
        for member, data in _members(path):
            names.append(member)
            if data is not None:
                contents[member] = data
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise CropError(
            f"{path} cannot be read as a tar archive ({error}): download or copy it anew"
        ) from error
    if not holds_cifar(names, path):
        raise CropError(
            f"{path} holds {', '.join(names[:3]) or 'nothing'}, wanted CIFAR's binary version; of "
            "other archives only zip is read: unpack it and import the folder"
        )
    return _decode(path, contents, name)


def _members(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Give the files of a tar in one pass, with the bytes of those that are CIFAR's."""
    with tarfile.open(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if not member.isfile() or name.startswith("."):
                continue
            wanted = name in _NAME_FILES or _is_batch(name)
            if wanted:
                _check_length(member.size, path / name)
            stream = archive.extractfile(member) if wanted else None
            yield name, stream.read() if stream else None


def _is_batch(name: str) -> bool:
    return name.endswith(".bin") and name.removesuffix(".bin") in _LAYOUTS


def _check_length(size: int, file: Path) -> None:
    if size > _MOST_BYTES:
        raise CropError(f"{file} has {size:,} bytes, more than any file of CIFAR: get the original")


def _decode(path: Path, contents: Mapping[str, bytes], name: str | None) -> ArrayPictures:
    """Turn the files' bytes into pictures; `contents` are bytes by file name."""
    images: list[np.ndarray] = []
    pictures: list[Picture] = []
    for file in sorted(file for file in contents if file.endswith(".bin")):
        layout = _LAYOUTS[file.removesuffix(".bin")]
        labels, pixels = _part(contents[file], layout, path, file)
        kinds = [
            _words(labels[:, axis], contents.get(layout.names[axis]), count, f"{path} ({file})")
            for axis, count in enumerate(layout.classes)
        ]
        pictures += _make_pictures(layout, file.removesuffix(".bin"), kinds, len(pictures), name)
        images.append(pixels)
    return ArrayPictures(path, np.concatenate(images), pictures)


def _part(data: bytes, layout: _Layout, path: Path, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Part records into labels (N, L) and pixels (N, 32, 32, 3)."""
    length = len(layout.classes) + _PIXELS
    if not data or len(data) % length:
        raise CropError(
            f"{path} ({file}) has {len(data):,} bytes, wanted a multiple of {length:,} as in the "
            f"binary version of {layout.plate}: it is damaged, get it anew"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, length)
    labels, pixels = records[:, : len(layout.classes)], records[:, len(layout.classes) :]
    return labels, pixels.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)


def _words(labels: np.ndarray, names: bytes | None, count: int, where: str) -> list[str]:
    """Name classes; where the file of names is absent, by number."""
    if labels.max() >= count:
        raise CropError(
            f"{where} has a label {labels.max()}, wanted less than {count}: it is damaged"
        )
    lines = [] if names is None else names.decode("utf-8", "replace").split("\n")
    words = [line.strip() for line in lines if line.strip()] or [str(n) for n in range(count)]
    if len(words) != count:
        raise CropError(f"{where} comes with {len(words)} names of classes, wanted {count}")
    return [words[label] for label in labels]


def _make_pictures(
    layout: _Layout, stem: str, kinds: list[list[str]], start: int, name: str | None
) -> list[Picture]:
    plate, split = name or layout.plate, layout.files[stem]
    parts = [plate, split] if stem == split else [plate, split, stem]
    coarse = kinds[0] if len(kinds) > 1 else [""] * len(kinds[0])
    return [
        Picture("/".join([*parts, str(number)]), plate, split, kind, start + number, above)
        for number, (kind, above) in enumerate(zip(kinds[-1], coarse, strict=True))
    ]
