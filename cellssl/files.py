"""Files that appear whole or not at all, their fingerprints, and what lies below a folder."""

import errno
import hashlib
import logging
import lzma
import os
import re
import secrets
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellssl.arguments import one_path
from cellssl.columns import is_text
from cellssl.errors import CellsslError, EmbeddingError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


_LOG = logging.getLogger(__name__)

# What libraries raise on files that are damaged in one way or another; the errors of codecs, and of what they do
# not know, are RuntimeErrors.
DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
# A file of HDF5 beside what it holds: a share of what AnnData has in memory, and bytes for groups and attributes.
_SPARE, _FRAME = 1.1, 1 << 20
# Whoever calls a folder so has a file in mind.
_ENDS_OF_FILES = (
    *(".csv", ".gz", ".h5", ".h5ad", ".h5sc", ".html", ".json", ".npy", ".npz", ".parquet", ".pdf"),
    *(".png", ".pt", ".svg", ".tif", ".tiff", ".yaml", ".yml", ".zarr"),
)


@contextmanager
def atomic(path: str | Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it over `path` when the block ends without error.

    A process killed inside the block leaves `path` as it was. The file is flushed to disk before it is renamed, so
    that a power cut does too; without `flush`, which waits for the disk, what is there after one must be checked.
    A full disk is an OSError that says so, whatever wrote to it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic(folder / "table.csv") as part:
    ...     _ = part.write_text("a,b")
    >>> (folder / "table.csv").read_text()
    'a,b'
    """
    path = Path(path)
    check_file(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    part.touch(exist_ok=False)
    try:
        yield part
        if flush:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        if number == errno.ENOSPC or f"errno = {errno.ENOSPC}," in str(error):  # as HDF5 says it
            raise _disk_full(path) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def require_room(path: Path, size: int = 0) -> None:
    """Make sure that a file of HDF5 which holds so many bytes has room where it shall be.

    HDF5 ends the whole process where it finds none as it closes a file.

    Raises
    ------
    OSError
        When the disk is too full for it.
    """
    if shutil.disk_usage(path.parent).free < size + _FRAME:
        raise _disk_full(path)


def _disk_full(path: Path) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def new_folder(path: str | Path, *, error: type[CellsslError]) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which takes its name when the block ends without error.

    Raises
    ------
    CellsslError
        When something is there already; of the kind `error`.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise error(f"{path} is there already and not empty: choose another folder with --out.")
    parent = make_folder(path.absolute().parent)
    part = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=parent))
    try:
        yield part
        part.chmod(parent.stat().st_mode & 0o777)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_csv(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table without its index, whole or not at all."""
    with atomic(path) as part:
        table.to_csv(part, index=False)


def write_text(text: str, path: str | Path) -> None:
    """Write a text in UTF-8, whole or not at all."""
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def check_h5ad(path: Path) -> None:
    """Make sure, before the work, that an embedding can be written to a file; its folder is made.

    Raises
    ------
    EmbeddingError
        When it is not called ``.h5ad``, or is a folder.
    """
    if path.suffix != ".h5ad" or path.is_dir():
        raise EmbeddingError(f"embeddings are written to a .h5ad file; got {path}.")
    make_folder(path.absolute().parent)


def write_h5ad(embedding: "AnnData", path: Path) -> None:
    """Write an embedding whole or not at all; texts stay texts.

    Those with gaps become categories, as AnnData has no other way to write them. A disk that is too full for it is
    an OSError before anything is written.
    """
    gaps = [name for name, values in embedding.obs.items() if is_text(values) and values.hasnans]
    if gaps:
        embedding = embedding.copy()
        embedding.obs[gaps] = embedding.obs[gaps].astype("category")
    with atomic(path) as part:
        require_room(path, int(_SPARE * sys.getsizeof(embedding)))
        embedding.write_h5ad(part, convert_strings_to_categoricals=False)


def check_folder(path: str | Path) -> None:
    """Make sure, before the work, that a folder may be called so.

    Raises
    ------
    CellsslError
        When it is a file, or is not there and called like one.
    """
    path = Path(path)
    if path.is_file():
        raise CellsslError(f"{path} is a file, but a folder is wanted: choose another with --out.")
    bare = path
    while bare.suffix.lower() in _ENDS_OF_FILES:  # scores.csv.gz has two
        bare = bare.with_suffix("")
    if bare != path and not path.is_dir():
        raise CellsslError(
            f"{path} is called like a file, but a folder is wanted, for several files: leave the end out, "
            f"as in --out {bare}."
        )


def check_file(path: str | Path) -> None:
    """Make sure, before the work, that no folder is in a file's place.

    Raises
    ------
    CellsslError
        When there is one.
    """
    if Path(path).is_dir():
        raise CellsslError(f"{path} is a folder, but a file is to be written: name one with --out.")


def safe_name(name: str) -> str:
    """Leave of a name what a folder or a file may be called everywhere.

    Examples
    --------
    >>> safe_name("rotate: 90, 10 %")
    'rotate-90-10-'
    """
    return re.sub(r"[^\w.+-]+", "-", name)


def make_folder(path: str | Path) -> Path:
    """Make a folder (and its parents) and make sure that files can be written there.

    Raises
    ------
    CellsslError
        When it is a file, or called like one, cannot be made, or is not writable.
    """
    path = one_path(path, "the folder to write to")
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise CellsslError(
            f"cannot write to {path}: {error.strerror or error}. Choose another folder with --out, or free it."
        ) from error
    return path


@contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it however the process ends.

    Some network disks cannot lock: then nothing is held, and a warning says so.

    Raises
    ------
    CellsslError
        When another process holds it.
    """
    with (Path(folder) / ".lock").open("a+") as file:
        try:
            _lock(file.fileno())
        except (BlockingIOError, PermissionError) as error:  # as Linux says it, and Windows
            raise CellsslError(
                f"another process is working on {folder}; wait for it to end, or choose another folder with --out"
            ) from error
        except OSError as error:
            _LOG.warning(
                "the disk of %s cannot lock files (%s): take care that no other command writes there meanwhile",
                folder,
                error.strerror,
            )
        yield


def _lock(handle: int) -> None:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)


def walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Walk as `os.walk` does, through links too, but into each folder once and into no hidden one.

    Gives paths below `folder`. What is left out so is said, and which folder cannot be looked into: a drive has
    some that belong to its system.
    """
    seen: dict[str, str] = {}
    for root, folders, files in os.walk(folder, onerror=_say_closed, followlinks=True):
        first = seen.setdefault(os.path.realpath(root), root)
        if first != root:
            _LOG.warning("%s is the same folder as %s: left out", root, first)
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(root).relative_to(folder), folders, files


def _say_closed(error: OSError) -> None:
    _LOG.warning(
        "%s cannot be looked into (%s): what lies in it is left out", error.filename, error.strerror
    )


def sha256(path: str | Path) -> str:
    """Hash a file's bytes (SHA-256, hexadecimal)."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
