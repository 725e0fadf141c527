"""A picture on its way into a crop file: its name, its labels, and who opens it."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from cellssl.datasets.decoding import Look, look_at

_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",  # MNIST's own word for its 10,000 test pictures
    "val": "val",
    "valid": "val",
    "validation": "val",
}
_WORDS = "|".join(_SPLITS)
_AT_END = re.compile(rf"(?:(.*)[-_. ])?({_WORDS})", re.IGNORECASE)
_AT_START = re.compile(rf"({_WORDS})[-_. ](.*)", re.IGNORECASE)
_CALLED_NOTHING = {"raw", ""}  # torchvision keeps MNIST/raw: that folder is not the data set's name


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a source.

    Attributes
    ----------
    name : str
        ``plate/split/path`` or ``plate/split/number``, the name of its row in the crop file.
    plate : str
        The data set.
    split : str
        ``train``, ``test``, ``val`` or empty.
    kind : str
        Its class; empty where there is none.
    place : str or int
        Where its source finds it: a path or a number.
    coarse : str
        The class above its class (CIFAR-100); usually empty.
    """

    name: str
    plate: str
    split: str
    kind: str
    place: str | int
    coarse: str = ""


class PictureSource(ABC):
    """A folder, an archive or an array that pictures are opened from; closed by ``with``.

    Attributes
    ----------
    path : Path
        What the user named.
    pictures : sequence of Picture
        All pictures, in any order.
    """

    path: Path
    pictures: Sequence[Picture]

    @abstractmethod
    def open(self, picture: Picture) -> Image.Image:
        """Open a picture; what is wrong with it is a `PictureError`."""

    def look(self, picture: Picture) -> Look:
        """Find the size and the kind of pixels without decoding them."""
        with self.open(picture) as image:
            return look_at(image)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027 - most hold nothing
        """Let go of what is held open; usually nothing."""


class ArrayPictures(PictureSource):
    """Pictures that lie in one array, as MNIST and CIFAR come.

    Parameters
    ----------
    path : Path
        Where the array came from.
    images : ndarray
        (N, H, W) grey or (N, H, W, 3) red, green, blue; uint8.
    pictures : sequence of Picture
        Their ``place`` is a row of `images`.
    """

    def __init__(self, path: Path, images: np.ndarray, pictures: Sequence[Picture]) -> None:
        self.path, self.pictures = path, pictures
        self._images = images

    def open(self, picture: Picture) -> Image.Image:
        """Take a row as a picture."""
        return Image.fromarray(self._images[picture.place])


def split_of(word: str) -> tuple[str, str]:
    """Part a name into the data set's and the split's.

    Examples
    --------
    >>> split_of("cifar10_train"), split_of("Validation"), split_of("latest")
    (('cifar10', 'train'), ('', 'val'), ('latest', ''))
    """
    if found := _AT_END.fullmatch(word):
        return found[1] or "", _SPLITS[found[2].lower()]
    if found := _AT_START.fullmatch(word):
        return found[2], _SPLITS[found[1].lower()]
    return word, ""


def stem_of(path: Path) -> str:
    """Give a folder's name, or a file's without .zip, .tar.gz and the like."""
    return path.name if path.is_dir() else re.sub(r"(\.tar)?\.\w+$", "", path.name)


def data_set_name(path: Path) -> str:
    """Name the data set: by the file or folder, or, where that is called train, by its folder."""
    path = path.absolute()
    own = split_of(stem_of(path))[0]
    if own.lower() not in _CALLED_NOTHING:
        return own
    for folder in path.parents:
        if split_of(folder.name)[0].lower() not in _CALLED_NOTHING:
            return folder.name
    return "pictures"
