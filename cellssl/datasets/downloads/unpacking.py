"""Zip and tar archives unpacked into one folder, which appears whole or not at all.

An archive is refused, and nothing of it kept, when it holds a name that leads out of the folder
(absolute, ``..``, a drive, a backslash), a link, a device or a pipe, one name twice, something
encrypted, or more than it may: unpacked, `Limits.ratio` times its own size and `Limits.size` bytes.
"""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from cellssl.datasets.downloads.failure import require_room
from cellssl.datasets.downloads.record import Digest
from cellssl.errors import DataError
from cellssl.files import DAMAGE

_CHUNK = 1 << 20  # bytes
_PACKERS: dict[bytes, Callable[[Path, str], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}


@dataclass(frozen=True)
class Limits:
    """How much an archive may become.

    Attributes
    ----------
    ratio : float
        Times its own size; deflated microscopy images reach 2 or 3.
    size : int
        Bytes.
    small : int
        Bytes that any archive may become: a few blank images are no bomb.
    files : int
        How many.
    """

    ratio: float = 100.0
    size: int = 64 * 2**30
    small: int = 100 * 2**20
    files: int = 1_000_000

    def of(self, archive: Path) -> int:
        """Give the bytes that an archive may become."""
        return min(self.size, max(self.small, int(self.ratio * archive.stat().st_size)))


LIMITS = Limits()


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes:
        """Read bytes."""


class _Budget:
    """Bytes that may still come out of an archive."""

    def __init__(self, archive: Path, limits: Limits, add: Callable[[int], None] | None) -> None:
        self.archive, self._add = archive, add
        self.most = self.left = limits.of(archive)

    def spend(self, count: int) -> None:
        """Count bytes that came out."""
        self.left -= count
        self.require(0)
        if self._add is not None:
            self._add(count)

    def require(self, count: int) -> None:
        """Refuse an archive of which `count` bytes more than allowed would come."""
        if count > self.left:
            raise DataError(
                f"{self.archive} becomes more than {self.most:,} bytes, more than an archive of its size may "
                "(a zip bomb?): nothing of it was kept. If you trust it, unpack it yourself"
            )


def unpack(
    archive: Path,
    target: Path,
    *,
    work: Path,
    limits: Limits = LIMITS,
    add: Callable[[int], None] | None = None,
) -> dict[str, Digest]:
    """Unpack an archive into a folder.

    A folder on top of the archive with the target's name is the target. Where the target exists, its
    files are replaced one by one, and others in it stay.

    Parameters
    ----------
    archive : Path
        A zip, or a tar, plain or packed by gzip, bzip2 or xz.
    target : Path
        The folder.
    work : Path
        A folder on the same disk for what is not finished.
    limits : Limits
        How much it may become.
    add : callable, optional
        Told how many bytes came out, piece by piece.

    Returns
    -------
    dict of str to Digest
        The files, by their path below the target.

    Raises
    ------
    DataError
        When the archive is damaged, or holds what is refused.
    """
    staging = work / f"{target.name}.unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        found = _extract(archive, staging, _Budget(archive, limits, add), limits)
        root, found = _pass_top(staging, target.name, found)
        _move(root, target, found)
    except (*DAMAGE, tarfile.TarError) as error:
        # An OSError of the archive's readers carries no number; others are of the disk.
        if isinstance(error, DataError) or getattr(error, "errno", None) is not None:
            raise
        raise DataError(
            f"{archive} cannot be unpacked ({error or type(error).__name__}): it is damaged, cut off "
            "or no archive: get it anew"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return found


def _extract(archive: Path, staging: Path, budget: _Budget, limits: Limits) -> dict[str, Digest]:
    """Write every member below the staging folder."""
    found: dict[str, Digest] = {}
    members = _zip_members if _first_bytes(archive) == b"PK" else _tar_members
    for name, stream in members(archive, budget):
        parts = _safe_parts(name, archive)
        if not parts:
            continue
        path = staging.joinpath(*parts)
        try:
            if stream is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                found["/".join(parts)] = _copy(stream, file)
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(f"{archive} holds {name!r} twice: nothing of it was kept") from error
        if len(found) > limits.files:
            raise DataError(f"{archive} holds more than {limits.files:,} files")
    if not found:
        raise DataError(f"{archive} holds no file: get it anew")
    return found


def _first_bytes(archive: Path) -> bytes:
    """Read the two bytes that tell how an archive is packed."""
    with archive.open("rb") as stream:
        return stream.read(2)


def _zip_members(archive: Path, budget: _Budget) -> Iterator[tuple[str, _Readable | None]]:
    """Go through a zip: names with their bytes, None for a folder."""
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        declared = sum(member.file_size for member in members)
        budget.require(declared)
        require_room(archive.parent, f"what {archive.name} unpacks to", declared)
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _special_file(archive, member.filename)
            if member.flag_bits & 1:
                raise DataError(f"{archive} is encrypted: unpack it yourself")
            if member.is_dir():
                yield member.filename, None
                continue
            with opened.open(member) as stream:
                yield member.filename, _Counted(stream, budget)


def _tar_members(archive: Path, budget: _Budget) -> Iterator[tuple[str, _Readable | None]]:
    """Go through a tar likewise, in one pass."""
    with _open_packed(archive) as packed:
        # Counted below the tar reader: its own headers can be bombs too.
        counted = _Counted(packed, budget)
        with tarfile.open(fileobj=counted, mode="r|") as opened:  # type: ignore[call-overload]
            for member in opened:
                if member.isdir():
                    yield member.name, None
                    continue
                stream = opened.extractfile(member) if member.isreg() else None
                if stream is None or member.issparse():
                    raise _special_file(archive, member.name)
                yield member.name, stream


def _open_packed(archive: Path) -> IO[bytes]:
    """Open a tar through gzip, bzip2, xz or nothing, by its first bytes."""
    return _PACKERS.get(_first_bytes(archive), Path.open)(archive, "rb")


def _special_file(archive: Path, name: str) -> DataError:
    return DataError(
        f"{archive} holds {name!r}, which is a link, a device or another special file: nothing of "
        "it was kept. If you trust it, unpack it yourself"
    )


class _Counted:
    """Reads through to a stream and counts."""

    def __init__(self, stream: _Readable, budget: _Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, size: int = -1, /) -> bytes:
        """Read bytes, as long as any are allowed."""
        data = self._stream.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self._budget.spend(len(data))
        return data


def _safe_parts(name: str, archive: Path) -> list[str]:
    """Take a member's name apart; refuse one that could lead out of the folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    strange = any(sign in "\\:" or ord(sign) < 32 for sign in name)
    if name.startswith("/") or ".." in parts or strange:
        raise DataError(
            f"{archive} holds the name {name!r}, which could lead out of its folder: nothing of it "
            "was kept. If you trust it, unpack it yourself"
        )
    return parts


def _copy(source: _Readable, file: BinaryIO) -> Digest:
    """Write a member and hash it on the way."""
    digest, size = sha256(), 0
    while chunk := source.read(_CHUNK):
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return Digest(size=size, sha256=digest.hexdigest())


def _pass_top(staging: Path, name: str, found: dict[str, Digest]) -> tuple[Path, dict[str, Digest]]:
    """Pass over a top folder that is called like the target and holds everything."""
    if {path.split("/")[0] for path in found} != {name} or name in found:
        return staging, found
    return staging / name, {path.removeprefix(f"{name}/"): what for path, what in found.items()}


def _move(root: Path, target: Path, found: dict[str, Digest]) -> None:
    """Put what was unpacked where it belongs."""
    if not target.exists():
        root.replace(target)
        return
    for path in found:
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        (root / path).replace(place)
