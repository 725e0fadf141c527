"""What a user can mend of downloads."""

import errno
import shutil
from pathlib import Path

from cellssl.errors import DataError


class DiskFullError(DataError):
    """There is no room for what should be written."""

    def __init__(self, folder: Path, name: str, needed: int | None = None) -> None:
        free = shutil.disk_usage(folder).free
        wanted = "more" if needed is None else f"{needed / 1e6:,.1f} MB"
        super().__init__(
            f"no room for {name}: the disk of {folder} has {free / 1e6:,.1f} MB free, and {wanted} "
            "is needed. Make room there and give the same command again (it goes on where it "
            "stopped), or move the folder to another disk and give that with --out"
        )


def is_disk_full(error: OSError) -> bool:
    """Say whether an error means that the disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def require_room(folder: Path, name: str, needed: int) -> None:
    """Make sure that a disk has `needed` bytes free before they are written.

    Raises
    ------
    DiskFullError
        When it has not.
    """
    if needed > shutil.disk_usage(folder).free:
        raise DiskFullError(folder, name, needed)
