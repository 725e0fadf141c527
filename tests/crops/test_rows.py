"""Rows are read around HDF5 where their bytes lie plain, through it elsewhere, alike in both."""

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.crops.rows import RowReader, read_rows
from cellssl.errors import CropError

ROWS = [np.array(r, np.int64) for r in ([3], [5, 0, 5, 1, 2, 3], [], [7, 7], list(range(40)))]


def directly(dataset):
    """A reader that knows all places from the start."""
    reader = RowReader(dataset)
    reader.read(np.arange(len(dataset)))
    return reader


@pytest.fixture
def arrays(tmp_path):
    """The same rows in every layout that HDF5 has: name → whether their bytes lie plain."""
    values = np.random.default_rng(0).integers(0, 9999, (40, 2, 4, 5)).astype(np.uint16)
    path = tmp_path / "arrays.h5"
    row = (1, 2, 4, 5)
    with h5py.File(path, "w") as file:
        file.create_dataset("block", data=values)
        file.create_dataset("rows", data=values, chunks=row, maxshape=(None, *row[1:]))
        file.create_dataset("swapped", data=values.astype(">u2"), chunks=row)
        file.create_dataset("packed", data=values, chunks=row, compression="gzip")
        file.create_dataset("summed", data=values, chunks=row, fletcher32=True)
        file.create_dataset("pairs", data=values, chunks=(2, 2, 4, 5))
        file.create_dataset("parts", data=values, chunks=(1, 1, 4, 5))
        file.create_dataset("outside", data=values, external=str(tmp_path / "bytes"))
        holes = file.create_dataset("holes", values.shape, "u2", chunks=row, fillvalue=7)
        holes[10:] = values[10:]
        file.create_dataset("unwritten", values.shape, "u2", fillvalue=7)
        file.create_dataset("text", data=np.array([b"a"] * 40).reshape(40, 1))
    plain = {"block", "rows", "swapped"}
    with h5py.File(path, "r") as file:
        yield file, plain


def test_all_layouts_give_the_same(arrays):
    file, plain = arrays
    for name, dataset in file.items():
        reader = directly(dataset)
        assert (reader._offsets is not None) == (name in plain), name
        for rows in ROWS:
            given = reader.read(rows)
            assert given.dtype == dataset.dtype
            np.testing.assert_array_equal(given, read_rows(dataset, rows))


def test_places_are_looked_up_only_when_it_pays(arrays):
    file, _ = arrays
    reader = RowReader(file["rows"])
    for row in range(13):
        reader.read(np.array([row]))
    assert reader._offsets is None
    reader.read(np.array([0]))
    assert reader._offsets is not None


def test_a_file_being_written_is_read_through_hdf5(tmp_path):
    values = np.ones((40, 2, 4, 5), np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("rows", data=values, chunks=(1, 2, 4, 5))
        reader = directly(file["rows"])
        file["rows"][3] = 5  # still in HDF5's cache
        assert (reader.read(np.array([3])) == 5).all()
        assert reader._offsets is None


def test_files_of_anndata_are_read_directly(crop_file, batch, tmp_path):
    crops = crop_file(batch(9))
    anndata.read_h5ad(crops.path).write_h5ad(tmp_path / "theirs.h5ad")
    theirs = Crops.open(tmp_path / "theirs.h5ad")
    np.testing.assert_array_equal(theirs.read([4, 2, 2]), crops.read([4, 2, 2]))
    assert theirs._reader("obsm/crops")._offsets is not None


def test_many_threads_read_at_once(crop_file, batch):
    given = batch(200)
    crops = crop_file(given)
    wrong = []

    def read(seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            rows = random.integers(0, 200, 20)
            if (crops.read(rows) != given.images[rows]).any():
                wrong.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FORKING = """
import os, sys, warnings
import numpy as np
from cellssl.crops import Crops

crops = Crops.open(sys.argv[1])
expected = crops.read()
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
child = os.fork()
if not child:
    same = (crops.read([8, 0]) == expected[[8, 0]]).all() and (crops.read() == expected).all()
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
np.testing.assert_array_equal(crops.read([3]), expected[[3]])
"""


def test_a_forked_process_reads_for_itself(crop_file, batch):
    # In a process of its own: this one, after a thousand tests, may be too large to be forked.
    path = str(crop_file(batch(9)).path)
    subprocess.run([sys.executable, "-c", FORKING, path], check=True)


def test_handles_are_given_back(crop_file, batch):
    handles = Path("/proc/self/fd")

    def opened():
        gc.collect()
        return len(list(handles.iterdir()))

    if not handles.is_dir():
        pytest.skip("open files are counted in /proc, which only Linux has")
    crops = crop_file(batch(9))
    crops.close()
    before = opened()
    for _ in range(3):
        crops.read()
        crops.close()
    assert opened() == before


def test_a_file_that_is_replaced_goes_on_giving_its_own_cells(crop_file, batch):
    given = batch(9)
    crops = crop_file(given)
    crops.read([0])
    crop_file(batch(30, start=9))
    np.testing.assert_array_equal(crops.read(), given.images)


def test_a_file_that_is_cut_while_open(crop_file, batch):
    crops = crop_file(batch(9))
    crops.read()
    os.truncate(crops.path, crops._reader("obsm/crops")._offsets[8] + 10)
    with pytest.raises(CropError, match=r"ends within a crop.*copy it again"):
        crops.read([8])


def test_packed_bytes_that_are_damaged(crop_file, batch):
    crops = crop_file(batch(9))
    crops.close()
    with h5py.File(crops.path) as file:
        place = file["obsm/masks"].id.get_chunk_info(4)
    with crops.path.open("r+b") as file:
        file.seek(place.byte_offset)
        file.write(b"\xff" * place.size)
    again = Crops.open(crops.path)
    assert again.masks([3]).shape == (1, 1, 8, 8)
    with pytest.raises(CropError, match="cannot be read"):
        again.masks([4])


def test_large_rows_in_several_reads(tmp_path, monkeypatch):
    """The system may give less than asked for."""
    images = np.random.default_rng(0).integers(0, 99, (6, 1, 16, 16)).astype(np.uint8)
    obs = pd.DataFrame({"Metadata_Plate": "P"}, index=[str(n) for n in range(6)])
    path = tmp_path / "a.h5ad"
    write_crops(path, [CropBatch(images, None, obs)], channels=["D"], size=16, provenance={})
    crops = Crops.open(path)
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: whole(fd, [into[0][:100]], at))
    np.testing.assert_array_equal(crops.read(), images)
