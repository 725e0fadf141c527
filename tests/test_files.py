"""Files that appear whole or not at all."""

import errno

import pytest

from cellssl.files import atomic

# What h5py says where a disk is full: an error without a number, which names a temporary file.
FULL = (
    "Can't close file (file write failed: time = Fri Nov 27, filename = '/x/.e.h5ad.3.h5ad', file descriptor = 6, "
    "errno = 28, error message = 'No space left on device', total write size = 65536)"
)


def test_a_full_disk_is_said_as_one_whatever_wrote(tmp_path):
    path = tmp_path / "e.h5ad"
    with pytest.raises(OSError, match="No space left on device") as caught, atomic(path):
        raise OSError(FULL)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    with pytest.raises(OSError, match="another"), atomic(path):
        raise OSError("another, errno = 5, say")
    assert list(tmp_path.iterdir()) == []
