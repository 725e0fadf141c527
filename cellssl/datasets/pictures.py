"""Pictures in folders and zip archives, sorted into classes by folder, or unlabelled."""

import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cellssl.datasets.decoding import SUFFIXES, PictureError, open_bytes
from cellssl.datasets.picture import Picture, PictureSource, data_set_name, split_of, stem_of
from cellssl.errors import CropError
from cellssl.files import DAMAGE, walk

_LOG = logging.getLogger(__name__)
_UNREAD = (".webp", ".gif", ".avif", ".heic", ".heif", ".jp2", ".jxl", ".ppm", ".pgm")
# An encoded picture of more bytes is none: Pillow's limit of pixels, uncompressed, is below it.
_MOST_BYTES = 2**29


class FolderPictures(PictureSource):
    """The pictures below a folder.

    Parameters
    ----------
    path : Path
        The folder; hidden files and folders are passed over.
    name : str, optional
        The data set's name, by default the folder's.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        files = [(below / name).as_posix() for below, _, names in walk(path) for name in names]
        places = _only_pictures(files, path)
        self.pictures = arrange(places, name or data_set_name(path), split_of(stem_of(path))[1])

    def open(self, picture: Picture) -> Image.Image:
        """Read a file and open it."""
        file = self.path / str(picture.place)
        try:
            _check_length(file.stat().st_size)
            data = file.read_bytes()
        except OSError as error:
            raise PictureError(f"cannot be read: {error.strerror or error}") from error
        return open_bytes(data)


class ZipPictures(PictureSource):
    """The pictures of a zip archive, read from it one by one; nothing is extracted.

    Parameters
    ----------
    path : Path
        The archive.
    name : str, optional
        The data set's name, by default the archive's, or its folder's where that is ``train.zip``.

    Raises
    ------
    CropError
        When it is broken or encrypted.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise CropError(
                f"{path} cannot be read as a zip archive ({error}): download or copy it anew"
            ) from error
        # Some of Windows' packers part names by backslashes, which the format does not allow and every unpacker
        # takes for what they mean. A member that was written twice is one: the later is read, as by any unpacker.
        self._members = {m.filename.replace("\\", "/"): m for m in self._archive.infolist()}
        if any(member.flag_bits & 1 for member in self._members.values()):
            self._archive.close()
            raise CropError(f"{path} is encrypted: unpack it, and import the folder")
        places = _only_pictures([name for name in self._members if not name.endswith("/")], path)
        self.pictures = arrange(places, name or data_set_name(path), split_of(stem_of(path))[1])

    def open(self, picture: Picture) -> Image.Image:
        """Unpack a member in memory and open it."""
        member = self._members[str(picture.place)]
        _check_length(member.file_size)
        try:
            data = self._archive.read(member)
        except DAMAGE as error:  # RuntimeError: encrypted, says its own header
            raise PictureError(f"cannot be read from the archive: {error}") from error
        return open_bytes(data)

    def __exit__(self, *_: object) -> None:
        """Close the archive."""
        self._archive.close()


def arrange(places: Sequence[str], plate: str, split: str = "") -> list[Picture]:
    """Find split, class and name of pictures by their paths.

    A top folder that holds everything, and class folders below it, is passed over. Top folders
    ``train``, ``test`` and ``val`` are splits, if they hold folders or there are no others. Then
    the first folder is the class, however deep the picture lies below it.

    Parameters
    ----------
    places : sequence of str
        Paths with ``/`` below the folder or in the archive.
    plate : str
        The data set's name.
    split : str
        What the name of the folder or archive says, for pictures in no split's folder.

    Examples
    --------
    >>> [photo] = arrange(["pets/train/cats/3.jpg"], "pets")
    >>> photo.name, photo.split, photo.kind
    ('pets/train/cats/3.jpg', 'train', 'cats')
    """
    paths = [place.split("/") for place in places]
    start = _wrapping(paths)
    splitting = _splits_on_top([path[start:] for path in paths])
    pictures = []
    for place, path in zip(places, paths, strict=True):
        inner, own = path[start:], split
        if splitting and len(inner) > 1 and not split_of(inner[0])[0]:
            own, inner = split_of(inner[0])[1], inner[1:]
        kind = inner[0] if len(inner) > 1 else ""
        name = "/".join([plate, *([own] if own else []), *inner])
        pictures.append(Picture(_writable(name), plate, own, _writable(kind), place))
    return pictures


def _wrapping(paths: list[list[str]]) -> int:
    """Count the top folders that hold everything and say nothing."""
    count = 0
    while paths:
        tops = {path[count] for path in paths}
        nested = all(len(path) > count + 2 for path in paths)
        if len(tops) > 1 or not nested or split_of(next(iter(tops)))[0] == "":
            break
        count += 1
    return count


def _splits_on_top(paths: list[list[str]]) -> bool:
    folders = [path for path in paths if len(path) > 1]
    splits = [path for path in folders if split_of(path[0])[0] == ""]
    return bool(splits) and (len(splits) == len(folders) or any(len(p) > 2 for p in splits))


def _writable(name: str) -> str:
    """Replace what is no Unicode in a file's name: HDF5 holds UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _only_pictures(places: list[str], path: Path) -> list[str]:
    """Leave out hidden files, what macOS adds, and what is no picture by its suffix."""
    visible = [
        place
        for place in places
        if not any(part.startswith(".") or part == "__MACOSX" for part in place.split("/"))
    ]
    pictures = [place for place in visible if place.lower().endswith(SUFFIXES)]
    others = [place for place in visible if not place.lower().endswith(SUFFIXES)]
    unread = [place for place in others if place.lower().endswith(_UNREAD)]
    if unread:
        _LOG.warning(
            "%s: %d pictures are of formats that are not read (e.g. %s) and are left out: convert them to PNG",
            path,
            len(unread),
            unread[0],
        )
    if pictures and len(others) > len(unread):
        _LOG.info(
            "%s: %d files that are no pictures by their suffix are passed over",
            path,
            len(others) - len(unread),
        )
    return pictures


def _check_length(size: int) -> None:
    if size > _MOST_BYTES:
        raise PictureError(f"{size:,} bytes, more than {_MOST_BYTES:,}: make it smaller")
