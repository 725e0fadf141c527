import time

import h5py
import numpy as np
import pytest

from cellssl.crops import CropBatch, Crops, placing, write_crops
from cellssl.crops.placing import Piece, StoredPixels, chunk_places, copy_pixels

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


def write(path, batch, stored, **how):
    whole = batch(7)
    return write_crops(
        path,
        [CropBatch(stored, whole.masks, whole.obs)],
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
    crops = Crops.open(write(tmp_path / "crops.h5ad", batch, pixels, threads=threads))
    np.testing.assert_array_equal(crops.read(), images)
    np.testing.assert_array_equal(crops.masks(), batch(7).masks)
    plain = Crops.open(write(tmp_path / "plain.h5ad", batch, images))
    np.testing.assert_array_equal(crops.percentiles.values, plain.percentiles.values)
    np.testing.assert_array_equal(crops.percentiles.whole, plain.percentiles.whole)


def test_a_file_that_has_become_shorter_is_no_cells(tmp_path, batch, stored):
    _, pixels = stored
    with (tmp_path / "two").open("r+b") as file:
        file.truncate(4 * EACH)
    with pytest.raises(OSError, match="two ends within a cell"):
        write(tmp_path / "crops.h5ad", batch, pixels)
    assert not (tmp_path / "crops.h5ad").exists()


def test_nothing_more_is_copied_once_a_copy_has_failed(tmp_path, monkeypatch):
    copied = []

    def copy(piece, *_):
        if not piece.start:
            raise OSError("no space left")
        time.sleep(0.01)
        copied.append(piece.start)

    monkeypatch.setattr(placing, "_copy", copy)
    pieces = tuple(Piece(tmp_path / "one", start, np.ones(1, bool)) for start in range(50))
    stored = [StoredPixels(pieces, SIDES, np.dtype(np.uint16))]
    with pytest.raises(OSError, match="no space left"):
        copy_pixels(stored, tmp_path / "crops.h5ad", np.arange(50), threads=1)
    assert len(copied) < 10


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

    with h5py.File(write(tmp_path / "crops.h5ad", batch, stored[1])) as file:
        found = chunk_places(file["obsm/crops"])
        np.testing.assert_array_equal(chunk_places(Dataset(file["obsm/crops"])), found)
    assert len(set(found)) == 7
