import multiprocessing
import pickle

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.io import write_elem

from cellssl.crops import Crops
from cellssl.errors import CropError


def test_anndata_reads_what_crops_gives(crop_file, batch):
    crops = crop_file(batch(5), batch(0, start=5), batch(4, start=5))
    plain = anndata.read_h5ad(crops.path)
    backed = anndata.read_h5ad(crops.path, backed="r")
    for data in (plain, backed):
        np.testing.assert_array_equal(data.obsm["crops"], crops.read())
        np.testing.assert_array_equal(data.obsm["masks"], crops.masks())
        pd.testing.assert_frame_equal(data.obs, crops.obs)
        assert data.shape == (9, 0)
        assert list(data.uns["cellssl"]["channels"]) == list(crops.channels)
    assert crops.shape == (9, 2, 8, 8)
    assert crops.dtype == np.uint16
    assert crops.mask_names == ("nucleus",)
    assert set(crops.obs["Metadata_Compound"]) == {"DMSO", ""}
    assert dict(crops.uns["cellssl"]["segmenter"]["settings"])["sizes"].tolist() == [1, 2]
    backed.file.close()


def test_anndata_copies_and_subsets_survive_writing(crop_file, batch, tmp_path):
    crops = crop_file(batch(6))
    anndata.read_h5ad(crops.path)[2:4].copy().write_h5ad(tmp_path / "part.h5ad")
    part = Crops.open(tmp_path / "part.h5ad")
    np.testing.assert_array_equal(part.read(), crops.read([2, 3]))
    assert part.channels == crops.channels


@pytest.mark.parametrize(
    ("areas", "diameter"),
    [
        ([100.0 * np.pi] * 3, 20),
        (["314.159", "", "unknown"], 20),
        ([np.nan] * 3, 0),
        (["a", "b", "c"], 0),
        (None, 0),
    ],
)
def test_the_usual_nucleus_is_known_where_areas_are(crop_file, batch, areas, diameter):
    given = batch(3, Area_Nucleus=areas)
    if areas is None:
        del given.obs["Area_Nucleus"]
    assert crop_file(given).nucleus == pytest.approx(diameter, abs=1e-3)


@pytest.mark.parametrize(
    "rows",
    [
        [3],
        [5, 0, 5, 1, 2, 3],
        slice(1, 7, 2),
        np.arange(9) % 2 == 0,
        [-1],
        [],
        np.array([8, 7], np.int32),
    ],
)
def test_rows_in_any_order(crop_file, batch, rows):
    given = batch(9)
    crops = crop_file(given)
    expected = given.images[rows] if len(np.atleast_1d(rows)) else given.images[:0]
    np.testing.assert_array_equal(crops.read(rows), expected)
    assert len(crops.masks(rows)) == len(expected)


def test_a_series_of_truths_goes_by_the_names_of_cells(crop_file, batch):
    crops = crop_file(batch(9))
    chosen = pd.Series(np.arange(9) == 7, index=crops.obs.index)
    for read in (crops.read, crops.masks):
        np.testing.assert_array_equal(read(chosen[::-1]), read([7]))


def test_a_table_whose_rows_were_moved_is_no_longer_that_of_the_pixels(crop_file, batch):
    crops = crop_file(batch(9))
    crops.obs["mine"] = np.arange(9)[::-1]
    crops.obs = crops.obs.assign(more=1)
    assert crops.obs[["mine", "more"]].iloc[0].tolist() == [8, 1]
    crops.obs.sort_values("mine", inplace=True)  # noqa: PD002 - as some do
    with pytest.raises(CropError, match=r"changed, and its rows .* crops\.obs\.copy\(\)"):
        _ = crops.obs


@pytest.mark.parametrize("rows", [[9], [-10], [True, False], [0.5], [[0, 1]]])
def test_wrong_rows(crop_file, batch, rows):
    with pytest.raises(IndexError):
        crop_file(batch(9)).read(rows)


def test_one_cell_is_one_chunk(crop_file, batch):
    with h5py.File(crop_file(batch(3)).path) as file:
        assert file["obsm/crops"].chunks == (1, 2, 8, 8)
        assert file["obsm/crops"].maxshape[0] is None


def test_handle_survives_pickle_and_fork(crop_file, batch):
    crops = crop_file(batch(9))
    expected = crops.read([4, 2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(crops)).read([4, 2]), expected)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for result in pool.map(crops.read, [[4, 2]] * 4):
            np.testing.assert_array_equal(result, expected)
    crops.close()
    np.testing.assert_array_equal(crops.read([4, 2]), expected)


def test_another_process_opens_the_file_for_itself(crop_file, batch, monkeypatch):
    crops = crop_file(batch(3))
    first = crops._open()
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert crops._open() is not first


def test_a_file_without_masks(crop_file, batch):
    given = batch(3)
    crops = crop_file(type(given)(given.images, None, given.obs))
    assert crops.masks([0]) is None
    assert crops.mask_names == ()


def test_open_rejects_what_is_no_crop_file(crop_file, batch, tmp_path):
    with pytest.raises(CropError, match="no crop file at"):
        Crops.open(tmp_path / "missing.h5ad")
    results = tmp_path / "results"
    (results / "crops").mkdir(parents=True)
    crop_file(batch(1), name="results/crops/crops.h5ad")
    with pytest.raises(CropError, match=r"there is .*results/crops/crops.h5ad: name that"):
        Crops.open(results)  # of `cellssl run`
    (tmp_path / "text.h5ad").write_text("hello")
    with pytest.raises(CropError, match="not a crop file"):
        Crops.open(tmp_path / "text.h5ad")
    whole = crop_file(batch(30)).path.read_bytes()
    (tmp_path / "cut.h5ad").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CropError, match="damaged"):
        Crops.open(tmp_path / "cut.h5ad")
    anndata.AnnData(np.ones((3, 2), np.float32)).write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(CropError, match=r"not a crop file: it holds no pictures.*made from, too"):
        Crops.open(tmp_path / "other.h5ad")


def test_a_disk_that_cannot_lock_is_not_taken_for_damage(crop_file, batch, monkeypatch):
    def refuse(*_, **__):
        raise OSError(37, "Unable to open file (unable to lock file, errno = 37)")

    path = crop_file(batch(2)).path
    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(CropError, match="set HDF5_USE_FILE_LOCKING=FALSE"):
        Crops.open(path)


def test_what_concat_leaves_out_is_named(crop_file, batch, tmp_path):
    cells = anndata.read_h5ad(crop_file(batch(4)).path)
    for merge, path in (("same", tmp_path / "kept.h5ad"), (None, tmp_path / "lost.h5ad")):
        anndata.concat([cells[:2], cells[2:]], uns_merge=merge).write_h5ad(path)
    assert len(Crops.open(tmp_path / "kept.h5ad")) == 4
    with pytest.raises(CropError, match=r"lacks uns\['cellssl'\].*uns_merge='same'"):
        Crops.open(tmp_path / "lost.h5ad")


@pytest.mark.parametrize("merge", ["same", "first"])
def test_plates_that_concat_put_together_want_to_be_joined(crop_file, batch, tmp_path, merge):
    """Their percentiles are not the same, and are lost: scaling ended in a KeyError."""
    files = [crop_file(batch(4, plate=name), name=f"{name}.h5ad").path for name in ("P1", "P2")]
    anndata.concat([anndata.read_h5ad(file) for file in files], uns_merge=merge).write_h5ad(
        tmp_path / "both.h5ad"
    )
    with pytest.raises(CropError, match=r"percentiles of some plates.*join_crops"):
        Crops.open(tmp_path / "both.h5ad")


def test_open_takes_the_folder(crop_file, batch, tmp_path):
    crop_file(batch(2))
    assert len(Crops.open(tmp_path)) == 2


def test_open_rejects_arrays_that_do_not_fit(crop_file, batch):
    crops = crop_file(batch(9))
    crops.close()

    def attempt(array, shape):
        with h5py.File(crops.path, "a") as file:
            before = file[array].shape
            file[array].resize(shape)
        with pytest.raises(CropError, match=r"is damaged: 9 rows of cells.*make it anew"):
            Crops.open(crops.path)
        with h5py.File(crops.path, "a") as file:
            file[array].resize(before)

    attempt("obsm/crops", (8, 2, 8, 8))
    attempt("obsm/masks", (10, 1, 8, 8))
    assert len(Crops.open(crops.path)) == 9
    with h5py.File(crops.path, "a") as file:
        del file["uns/cellssl/channels"]
        write_elem(file["uns/cellssl"], "channels", np.array(["DNA"]))
    with pytest.raises(CropError, match="pixels of shape"):
        Crops.open(crops.path)


def test_a_file_cut_short_ends_in_an_error_that_says_so(crop_file, batch):
    """Wherever it is cut. (Of bytes that are wrong in HDF5's own structures HDF5 may hang or crash.)"""
    path = crop_file(batch(9)).path
    whole = path.read_bytes()
    for place in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:place])
        with pytest.raises(CropError):
            Crops.open(path)
