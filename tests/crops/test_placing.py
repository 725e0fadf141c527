import threading
import time

import h5py
import numpy as np
import pytest

from cellssl.crops import CropBatch, Crops, placing, write_crops
from cellssl.crops.placing import Piece, StoredPixels, chunk_places, copied_meanwhile

SIDES = (2, 8, 8)
EACH = 2 * 2 * 8 * 8  # bytes of a cell


@pytest.fixture
def stored(tmp_path):
    """Cells of two files, of which some are left out: as pixels in memory, and as they are stored."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60_000, (11, *SIDES), np.uint16)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"header" + images[:6].tobytes())
    two.write_bytes(images[6:].tobytes())
    pieces = (
        Piece(one, 6, np.array([1, 1, 0, 0, 1, 0], bool)),
        Piece(two, 0, np.array([0, 1, 1, 1, 1], bool)),
    )
    return images[[0, 1, 4, 7, 8, 9, 10]], StoredPixels(pieces, SIDES, images.dtype)


def write(path, batch, images=None, **how):
    whole = batch(7)
    return write_crops(
        path,
        [CropBatch(images, whole.masks, whole.obs)],
        channels=["DNA", "Actin"],
        size=8,
        provenance={},
        **how,
    )


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block", [EACH // 3, 2 * EACH, 2**18])
def test_stored_pixels_are_those_of_the_file(tmp_path, batch, stored, threads, block, monkeypatch):
    monkeypatch.setattr(placing, "_BLOCK", block)
    images, pixels = stored
    crops = Crops.open(write(tmp_path / "crops.h5ad", batch, stored=pixels, threads=threads))
    np.testing.assert_array_equal(crops.read(), images)
    np.testing.assert_array_equal(crops.masks(), batch(7).masks)
    plain = Crops.open(write(tmp_path / "plain.h5ad", batch, images))
    np.testing.assert_array_equal(crops.percentiles.values, plain.percentiles.values)
    np.testing.assert_array_equal(crops.percentiles.whole, plain.percentiles.whole)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_has_become_shorter_is_no_cells(tmp_path, batch, stored, threads):
    _, pixels = stored
    with (tmp_path / "two").open("r+b") as file:
        file.truncate(4 * EACH)
    with pytest.raises(OSError, match="two ends within a cell"):
        write(tmp_path / "crops.h5ad", batch, stored=pixels, threads=threads)
    assert not (tmp_path / "crops.h5ad").exists()


def test_hdf5_keeps_nobody_from_the_file_that_pixels_are_copied_to(tmp_path, batch, stored):
    fcntl = pytest.importorskip("fcntl")  # where locks are more than advice, copies would fail
    whole = batch(7)

    def batches():
        (part,) = tmp_path.glob(".crops.h5ad.*")
        with part.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield CropBatch(None, whole.masks, whole.obs)

    about = {"channels": ["DNA", "Actin"], "size": 8, "provenance": {}}
    write_crops(tmp_path / "crops.h5ad", batches(), **about, stored=stored[1])


def test_hdf5_has_closed_the_file_when_this_thread_copies(tmp_path, batch, stored, monkeypatch):
    still_open, own = [], placing._copy

    def copy(piece, path, *where):
        ids = h5py.h5f.get_obj_ids(types=h5py.h5f.OBJ_FILE)
        still_open.append(str(path) in [h5py.File(one).filename for one in ids])
        own(piece, path, *where)

    monkeypatch.setattr(placing, "_copy", copy)
    write(tmp_path / "crops.h5ad", batch, stored=stored[1], threads=1)
    assert still_open == [False] * len(stored[1].pieces)


def pieces(folder, number):
    own = (Piece(folder / "one", start, np.ones(1, bool)) for start in range(number))
    return StoredPixels(tuple(own), SIDES, np.dtype(np.uint16))


@pytest.mark.parametrize("threads", [1, 3])
def test_nothing_more_is_copied_once_a_copy_has_failed(tmp_path, monkeypatch, threads):
    copied = []

    def copy(piece, *_):
        if not piece.start:
            raise OSError("no space left")
        time.sleep(0.01)
        copied.append(piece.start)

    monkeypatch.setattr(placing, "_copy", copy)
    stored, places = pieces(tmp_path, 50), np.arange(50)
    with (
        pytest.raises(OSError, match="no space left"),
        copied_meanwhile(stored, tmp_path / "crops.h5ad", places, threads=threads),
    ):
        pass
    assert len(copied) < 10


def test_other_threads_copy_while_the_block_writes_and_stop_when_it_fails(tmp_path, monkeypatch):
    copied, begun = [], threading.Event()

    def copy(piece, *_):
        begun.set()
        time.sleep(0.01)
        copied.append(piece.start)

    def fail():
        assert begun.wait(10)
        raise RuntimeError("power cut")

    monkeypatch.setattr(placing, "_copy", copy)
    stored, places = pieces(tmp_path, 50), np.arange(50)
    with (
        pytest.raises(RuntimeError, match="power cut"),
        copied_meanwhile(stored, tmp_path / "crops.h5ad", places, threads=2),
    ):
        fail()
    assert 1 <= len(copied) < 10


def test_places_are_the_same_where_hdf5_cannot_list_chunks(tmp_path, batch, stored):
    class Old:
        def __init__(self, own):
            self.get_chunk_info_by_coord = own.get_chunk_info_by_coord

    class Dataset:
        ndim = 4

        def __init__(self, own):
            self.id, self._cells = Old(own.id), len(own)

        def __len__(self):
            return self._cells

    with h5py.File(write(tmp_path / "crops.h5ad", batch, stored=stored[1])) as file:
        found = chunk_places(file["obsm/crops"])
        np.testing.assert_array_equal(chunk_places(Dataset(file["obsm/crops"])), found)
    assert len(set(found)) == 7
