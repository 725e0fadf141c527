"""Files that appear whole or not at all, and folders: each in its place."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from anndata import AnnData

from cellssl.errors import CellsslError
from cellssl.files import atomic, locked, make_folder, write_h5ad


def test_a_folder_is_not_called_like_a_file(tmp_path: Path) -> None:
    with pytest.raises(CellsslError, match=r"map.h5ad is called like a file.*--out .*/map\.$"):
        make_folder(tmp_path / "map.h5ad")
    with pytest.raises(CellsslError, match=r"--out .*/lr0.01\.$"):
        make_folder(tmp_path / "lr0.01.csv.gz")
    assert not list(tmp_path.iterdir())
    assert make_folder(tmp_path / "lr0.01").is_dir()  # an end that no file has
    (tmp_path / "old.csv").mkdir()  # of before: what is in it goes on
    assert make_folder(tmp_path / "old.csv").is_dir()


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(CellsslError, match="notes is a file, but a folder is wanted"):
        make_folder(tmp_path / "notes")
    (tmp_path / "page.html").mkdir()
    with (
        pytest.raises(CellsslError, match=r"page.html is a folder, but a file is to be written"),
        atomic(tmp_path / "page.html") as part,
    ):
        part.write_text("never")
    assert {path.name for path in tmp_path.iterdir()} == {"notes", "page.html"}


# What h5py says where a disk is full, with a number or without: it names a temporary file.
FULL = (
    "Can't close file (file write failed: time = Fri Nov 27, filename = '/x/.e.h5ad.3.h5ad', file descriptor = 6, "
    "errno = 28, error message = 'No space left on device', total write size = 65536)"
)


@pytest.mark.parametrize("said", [OSError(FULL), OSError(errno.ENOSPC, FULL), RuntimeError(FULL)])
def test_a_full_disk_is_said_as_one_whatever_wrote(tmp_path, said):
    path = tmp_path / "e.h5ad"
    with pytest.raises(OSError, match="No space left on device") as caught, atomic(path):
        raise said
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert caught.value.strerror == "No space left on device"
    with pytest.raises(OSError, match="another"), atomic(path):
        raise OSError("another, errno = 5, say")
    assert list(tmp_path.iterdir()) == []


def test_an_embedding_is_not_begun_where_it_has_no_room(tmp_path, monkeypatch):
    embedding = AnnData(np.zeros((100, 300), np.float32))
    nearly_full = SimpleNamespace(free=1 << 20)  # less than its 120 kB and what HDF5 adds
    monkeypatch.setattr("cellssl.files.shutil.disk_usage", lambda _: nearly_full)
    monkeypatch.setattr(AnnData, "write_h5ad", lambda *_, **__: pytest.fail("it was begun"))
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_h5ad(embedding, tmp_path / "e.h5ad")
    assert caught.value.filename == str(tmp_path / "e.h5ad")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_that_cannot_lock_is_told_and_written_to(tmp_path, monkeypatch, caplog, number):
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("cellssl.files._lock", refuse)
    with locked(tmp_path):
        pass
    assert "cannot lock files" in caplog.text
