"""One process at a time on an output folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellssl.errors import CropError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked"]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the system lets go of it however the process ends.

    Raises
    ------
    CropError
        When another process holds it.
    """
    path = folder / ".lock"
    with path.open("a+") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise CropError(
                f"another process is working on {folder}; wait for it to end, or choose another "
                "folder with --out"
            ) from error
        yield


def _lock(handle: int) -> None:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
