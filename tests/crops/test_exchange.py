"""What `export_crops` writes, `import_crops` reads back, and others read too."""

import dataclasses
import errno
import json
import logging
import shutil

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cellssl.crops import Crops, Scaling, export_crops, fit_scaling, import_crops, scale
from cellssl.crops.exchange.sidecar import Sidecar
from cellssl.errors import CropError

OUTS = ["out.h5sc", "out.npy", "out.h5", "cells"]


def rich(batch, cells=300, *, dtype=np.uint16, masks=True):
    """Cells of two plates with columns of every kind, at most 2,048 bright: exact in float16."""
    given = batch(cells)
    odd = np.arange(cells) % 2 == 1
    obs = given.obs.assign(
        Metadata_Plate=np.where(odd, "Plate, 2", "01"),
        Metadata_Site="007",
        Metadata_Compound=np.where(odd, "DMSO", 'say "x"\nµM'),
        Metadata_Concentration=np.where(odd, np.nan, 0.1 + np.arange(cells) / 3),
        Metadata_Center_Y=np.arange(cells) + 0.5,
        Metadata_Center_X=np.arange(cells),
        Quality_good=odd,
        Area_small=np.arange(cells, dtype=np.float32) / 7,
        Metadata_empty="",
    )
    obs["Metadata_big"] = 2**60 + np.arange(cells)
    obs.index = [f"{p}/A01/007/{n}" for n, p in enumerate(obs["Metadata_Plate"])]
    images = (given.images % min(2048, np.iinfo(dtype).max + 1)).astype(dtype)
    return type(given)(images, given.masks if masks else None, obs)


def assert_same(one: Crops, other: Crops):
    np.testing.assert_array_equal(one.read(), other.read())
    assert one.dtype == other.dtype
    assert one.channels == other.channels
    assert one.mask_names == other.mask_names
    if one.mask_names:
        np.testing.assert_array_equal(one.masks(), other.masks())
    pd.testing.assert_frame_equal(one.obs, other.obs)
    kept = [{k: v for k, v in c.uns["cellssl"].items() if k != "version"} for c in (one, other)]
    assert kept[0].keys() == kept[1].keys()
    first, second = (dict(about["segmenter"]["settings"]) for about in kept)
    np.testing.assert_equal(first, second)
    np.testing.assert_array_equal(one.percentiles.values, other.percentiles.values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("name", OUTS)
def test_all_comes_back(crop_file, batch, tmp_path, name, masks, dtype):
    crops = crop_file(rich(batch, dtype=dtype, masks=masks))
    out = export_crops(crops, tmp_path / "there" / name)
    assert out == tmp_path / "there" / name
    assert not [path for path in (tmp_path / "there").iterdir() if path.name.startswith(".")]
    assert_same(crops, Crops.open(import_crops(out, None, tmp_path / "back.h5ad")))


@pytest.mark.parametrize("name", OUTS[:3])
def test_no_cells_come_back(crop_file, batch, tmp_path, name):
    crops = crop_file(batch(0))
    out = export_crops(crops, tmp_path / name)
    again = Crops.open(import_crops(out, None, tmp_path / "back.h5ad"))
    assert again.shape == crops.shape


@pytest.mark.parametrize("name", OUTS[:3])
def test_floats_come_back(crop_file, batch, tmp_path, name):
    given = batch(20)
    images = (given.images / 70000 - 0.3).astype(np.float32)
    crops = crop_file(dataclasses.replace(given, images=images))
    out = export_crops(crops.path, tmp_path / name)
    again = Crops.open(import_crops(out, None, tmp_path / "back.h5ad"))
    assert again.dtype == np.float32
    np.testing.assert_allclose(again.read(), images, atol=2**-12 if name == OUTS[0] else 0)


@pytest.mark.parametrize("name", ["cells.h5sc", "cells.h5"])
def test_a_disk_without_room_is_said_before_hdf5_finds_none(
    crop_file, batch, tmp_path, monkeypatch, name
):
    crops = crop_file(
        batch(60, size=64), size=64
    )  # two channels: 983 kB, whatever they are packed to
    free = shutil.disk_usage(tmp_path)._replace(free=(1 << 20) + 500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    there = set(tmp_path.iterdir())
    with pytest.raises(OSError, match=name) as raised:
        export_crops(crops, tmp_path / name)
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == str(tmp_path / name)
    assert set(tmp_path.iterdir()) == there


def test_h5sc_says_what_float16_loses(crop_file, batch, tmp_path, caplog):
    given = batch(9)
    given.images[0, 0, 0, :3] = 65535, 4097, 2047
    crops = crop_file(given)
    with caplog.at_level(logging.WARNING):
        out = export_crops(crops, tmp_path / "out.h5sc")
    again = Crops.open(import_crops(out, None, tmp_path / "back.h5ad")).read()
    off = np.abs(again.astype(float) - given.images)
    assert again[0, 0, 0, :3].tolist() == [65535, 4096, 2047]
    assert (off <= given.images / 2048).all()
    share = 100 * np.mean(off > 0)
    assert f"{share:.2g} % of the pixels are rounded, by at most {off.max():g}" in caplog.text


def test_h5sc_says_that_all_is_rounded(crop_file, batch, tmp_path, caplog):
    given = batch(9)
    crops = crop_file(
        dataclasses.replace(given, images=np.full(given.images.shape, 4097, np.uint16))
    )
    export_crops(crops, tmp_path / "out.h5sc")
    assert "float16: 100 % of the pixels are rounded, by at most 1" in caplog.text


def test_h5sc_is_laid_out_as_scportrait_lays_it(crop_file, batch, tmp_path):
    crops = crop_file(rich(batch, 5))
    out = export_crops(crops, tmp_path / "out.h5sc")
    data = anndata.read_h5ad(out)
    images = data.obsm["single_cell_images"]
    assert images.shape == (5, 3, 8, 8)
    assert images.dtype == np.float16
    np.testing.assert_array_equal(images[:, 0], crops.masks()[:, 0] == 1)
    assert images.min() >= 0
    assert 0.5 < images[:, 1:].max() <= 1
    np.testing.assert_array_equal(images[:, 1:] * np.float16(2048), crops.read())
    assert data.obs_names.tolist() == ["0", "1", "2", "3", "4"]
    assert data.obs["scportrait_cell_id"].tolist() == [1, 2, 3, 4, 5]
    assert data.obs["scportrait_cell_id"].dtype == np.uint64
    assert data.var["channels"].tolist() == ["nucleus", "DNA", "Actin"]
    assert data.var["channel_mapping"].tolist() == ["mask", "image_channel", "image_channel"]
    about = data.uns["single_cell_images"]
    assert (about["n_cells"], about["n_masks"], about["image_size"]) == (5, 1, 8)
    with h5py.File(out) as file:
        stored = file["obsm/single_cell_images"]
        assert stored.chunks == (1, 1, 8, 8)
        assert stored.attrs["channel_names"].tolist() == [b"nucleus", b"DNA", b"Actin"]
        assert stored.attrs["n_image_channels"] == 2


def test_h5sc_that_scportrait_wrote_again(crop_file, batch, tmp_path, caplog):
    crops = crop_file(rich(batch, 6))
    data = anndata.read_h5ad(export_crops(crops, tmp_path / "out.h5sc"))[1:4].copy()
    del data.obsm["masks"]
    data.write_h5ad(tmp_path / "again.h5sc")
    path = import_crops(tmp_path / "again.h5sc", None, tmp_path / "back.h5ad")
    assert "no longer their neighbours" in caplog.text
    again = Crops.open(path)
    np.testing.assert_array_equal(again.read(), crops.read([1, 2, 3]))
    np.testing.assert_array_equal(again.masks(), crops.masks([1, 2, 3]) == 1)
    assert again.obs.index.tolist() == crops.obs.index[1:4].tolist()


@pytest.fixture
def scportrait(tmp_path):
    """A file as scPortrait's extraction leaves it: soft masks, float16, its own cell numbers."""
    random = np.random.default_rng(0)
    images = random.random((6, 4, 8, 8)).astype(np.float16)
    images[:, :2] = np.round(images[:, :2], 1)
    names = ["nucleus", "cytosol", "DAPI", "Tubulin"]
    mapping = ["mask", "mask", "image_channel", "image_channel"]
    data = anndata.AnnData(
        obs=pd.DataFrame(
            {
                "scportrait_cell_id": np.array([5, 7, 9, 11, 13, 15], np.uint64),
                "well": list("abcdef"),
            },
            index=[str(n) for n in range(6)],
        ),
        var=pd.DataFrame({"channels": names, "channel_mapping": mapping}, index=list("0123")),
        obsm={"single_cell_images": images},
        uns={
            "single_cell_images": {
                "n_masks": 2,
                "channel_names": np.array(names),
                "channel_mapping": np.array(mapping),
            }
        },
    )
    path = tmp_path / "project" / "single_cells.h5sc"
    path.parent.mkdir()
    data.write_h5ad(path)
    return path, images


@pytest.mark.parametrize("form", ["nested", "flat", "attributes"])
def test_scportraits_own_file(scportrait, tmp_path, form, caplog):
    path, images = scportrait
    with h5py.File(path, "a") as file:
        about = file["uns/single_cell_images"]
        if form == "flat":  # keys with a slash become groups that no mapping describes
            del about.attrs["encoding-type"], about.attrs["encoding-version"]
        if form == "attributes":
            for key in ("channel_names", "channel_mapping"):
                names = [name.decode() for name in about[key][:]]
                file["obsm/single_cell_images"].attrs[key] = np.array([n.encode() for n in names])
            del file["uns/single_cell_images"]
    with caplog.at_level(logging.WARNING):
        crops = Crops.open(import_crops(path, None, tmp_path / "in.h5ad"))
    assert "soft edges" in caplog.text
    assert caplog.text.count("soft edges") == 1
    assert crops.channels == ("DAPI", "Tubulin")
    assert crops.mask_names == ("nucleus", "cytosol")
    np.testing.assert_array_equal(crops.read(), images[:, 2:])
    np.testing.assert_array_equal(crops.masks(), images[:, :2] > 0.5)
    assert crops.obs.index[0] == "project/a/5"
    assert crops.obs["Metadata_scportrait_cell_id"].tolist() == [5, 7, 9, 11, 13, 15]
    low, high = fit_scaling(crops, Scaling("global")).bounds(crops)
    assert scale(crops.read(), low, high, transform="sqrt").max() == 1


@pytest.mark.parametrize("kind", ["float", "category"])
def test_numbered_compounds_with_gaps_stay_as_they_were_given(scportrait, tmp_path, kind):
    path, _ = scportrait
    data = anndata.read_h5ad(path)
    numbers = pd.Series([101, None, 102, 101, 102, 103], data.obs.index, dtype=kind)
    data.obs["compound"], data.obs["plate"], data.obs["dose"] = numbers, numbers, numbers
    data.write_h5ad(path)
    obs = Crops.open(import_crops(path, None, tmp_path / "in.h5ad")).obs
    assert obs["Metadata_Compound"].tolist() == ["101", "", "102", "101", "102", "103"]
    assert obs["Metadata_Plate"].tolist() == ["101", "project", "102", "101", "102", "103"]
    assert obs["Metadata_Concentration"].dtype.kind == "f"


def test_texts_that_repeat_are_categories_to_anndata(scportrait, tmp_path):
    path, _ = scportrait
    data = anndata.read_h5ad(path)
    data.obs["plate"], data.obs["well"] = ["P1"] * 4 + [None] * 2, ["a1", "a2"] * 3
    data.write_h5ad(path)
    obs = Crops.open(import_crops(path, None, tmp_path / "in.h5ad")).obs
    assert obs["Metadata_Plate"].tolist() == ["P1"] * 4 + ["project"] * 2
    assert obs["Metadata_Well"].tolist() == ["A01", "A02"] * 3


def test_compounds_that_scportrait_numbers_are_names(scportrait, tmp_path):
    path, _ = scportrait
    data = anndata.read_h5ad(path)
    data.obs["compound"] = [0, 0, 0, 17, 17, 17]
    data.write_h5ad(path)
    crops = import_crops(path, None, tmp_path / "in.h5ad", negative_control="0")
    assert Crops.open(crops).obs["Metadata_Control"].tolist() == ["negative"] * 3 + [""] * 3


def test_channels_may_be_renamed_on_the_way_in(scportrait, tmp_path):
    path, _ = scportrait
    crops = import_crops(
        path, None, tmp_path / "in.h5ad", channels=["a", "b"], columns={"well": "Site"}
    )
    assert Crops.open(crops).channels == ("a", "b")
    assert Crops.open(crops).obs["Metadata_Site"].tolist() == list("abcdef")
    with pytest.raises(CropError, match=r"2 channels .* 3 names"):
        import_crops(path, None, tmp_path / "bad.h5ad", channels=["a", "b", "c"])


def test_deepprofilers_reader_gets_the_pixels(crop_file, batch, tmp_path):
    crops = crop_file(rich(batch, 4))
    out = export_crops(crops, tmp_path / "cells")
    table = pd.read_csv(out / "sc-metadata.csv")
    assert list(table.columns[:5]) == [
        "Key",
        "Target",
        "Nuclei_Location_Center_X",
        "Nuclei_Location_Center_Y",
        "Image_Name",
    ]
    assert table["Key"].tolist() == ["01/A01/007", "Plate_ 2/A01/007"] * 2
    assert table["Image_Name"][1] == "Plate_ 2/A01/007/0@1x1.5.png"
    assert table["Image_Name"][0] == "01/A01/007/1@0x0.5.png"
    for row, name in enumerate(table["Image_Name"]):
        image = np.asarray(Image.open(out / name))
        # As DeepProfiler folds it: columns in Fortran order, one square a channel.
        folded = image.reshape(8, 8, -1, order="F")
        np.testing.assert_array_equal(np.moveaxis(folded[..., :2], -1, 0), crops.read(row)[0])
        np.testing.assert_array_equal(folded[..., 2] == 255, crops.masks(row)[0, 0] == 1)
        assert folded[..., 2][crops.masks(row)[0, 0] == 2].max() == 1  # a 255th: masked away
    places = pd.read_csv(out / "locations" / "01" / "A01-007-Nuclei.csv")
    assert places.to_numpy().tolist() == [[0, 0.5], [2, 2.5]]


@pytest.fixture
def deepprofiler(tmp_path):
    """A folder as DeepProfiler exports it: 8 bits, the mask last, one empty crop not written."""
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (4, 2, 6, 6)).astype(np.uint8)
    masks = random.integers(0, 2, (4, 1, 6, 6)).astype(np.uint8)
    rows = []
    for n in range(4):
        name = f"P1/B{n // 2 + 2:02d}/1/{n % 2}@{10 * n}.0x{20 * n}.0.png"
        rows.append(
            {
                "Nuclei_Location_Center_X": 10.0 * n,
                "Nuclei_Location_Center_Y": 20.0 * n,
                "Key": name.rsplit("/", 1)[0],
                "Target": n % 2,
                "Compound": ["DMSO", "taxol"][n % 2],
                "Split": "0",
                "Image_Name": name,
            }
        )
        path = tmp_path / "sc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if n != 2:
            tape = np.hstack([*images[n], 255 * masks[n, 0]])
            Image.fromarray(tape).save(path)
    pd.DataFrame(rows).to_csv(tmp_path / "sc" / "sc-metadata.csv", index=False)
    return tmp_path / "sc", images, masks


def test_deepprofilers_own_folder(deepprofiler, tmp_path, caplog):
    folder, images, masks = deepprofiler
    with caplog.at_level(logging.WARNING):
        path = import_crops(folder, None, tmp_path / "in.h5ad", channels=["DNA", "ER"])
    assert "1 of 4 crops in sc-metadata.csv have no PNG" in caplog.text
    assert "how bright a cell was is lost" in caplog.text
    crops = Crops.open(path)
    np.testing.assert_array_equal(crops.read(), images[[0, 1, 3]])
    np.testing.assert_array_equal(crops.masks(), masks[[0, 1, 3]])
    assert crops.mask_names == ("cell",)
    assert crops.obs["Metadata_Well"].tolist() == ["B02", "B02", "B03"]
    assert crops.obs["Metadata_Compound"].tolist() == ["DMSO", "taxol", "taxol"]
    assert crops.obs["Metadata_Control"].tolist() == ["negative", "", ""]
    assert crops.obs["Metadata_Center_Y"].tolist() == [0, 20, 60]
    assert crops.obs.index.tolist() == ["P1/B02/1/1", "P1/B02/1/2", "P1/B03/1/3"]


def test_deepprofilers_folder_with_mistakes(deepprofiler, tmp_path):
    folder, _, _ = deepprofiler
    table = pd.read_csv(folder / "sc-metadata.csv")

    def attempt(channels=("DNA", "ER"), **changes):
        table.assign(**changes).to_csv(folder / "sc-metadata.csv", index=False)
        import_crops(folder, None, tmp_path / "bad.h5ad", channels=channels)

    with pytest.raises(CropError, match="do not say their channels"):
        attempt(None)
    with pytest.raises(CropError, match="not 1 squares side by side for channels DNA"):
        attempt(["DNA"])
    with pytest.raises(CropError, match="outside the folder: refused"):
        attempt(Image_Name="../../secret.png")
    with pytest.raises(CropError, match=r"lacks 4 of the 4 crops .* e.g. P1/gone.png"):
        attempt(Image_Name="P1/gone.png")
    name = table["Image_Name"][1]
    Image.new("RGB", (18, 6)).save(folder / name)
    with pytest.raises(CropError, match="kind RGB; wanted grey"):
        attempt()
    Image.new("L", (21, 7)).save(folder / name)
    with pytest.raises(CropError, match=r"7×21 pixels, the first crop .* 6×18"):
        attempt()
    (folder / name).write_bytes(b"\x89PNG cut")
    with pytest.raises(CropError, match="not a readable PNG"):
        attempt()
    table.drop(columns="Image_Name").to_csv(folder / "sc-metadata.csv", index=False)
    with pytest.raises(CropError, match="no column Image_Name"):
        import_crops(folder, None, tmp_path / "bad.h5ad", channels=["a", "b"])
    assert not (tmp_path / "bad.h5ad").exists()


def test_an_export_replaces_files_but_no_folder(crop_file, batch, tmp_path):
    crops = crop_file(rich(batch, 5))
    for name in OUTS[:3]:
        (tmp_path / name).write_text("old")
        assert export_crops(crops, tmp_path / name).stat().st_size > 3
    (tmp_path / "cells").mkdir()
    export_crops(crops, tmp_path / "cells")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CropError, match="not empty: choose another"):
        export_crops(crops, tmp_path / "cells")
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_left_of_an_export_that_failed(crop_file, batch, tmp_path, monkeypatch):
    crops = crop_file(rich(batch, 300))
    there = tmp_path / "there"
    read = Crops.read

    def fail(self, rows=None):
        if (isinstance(rows, slice) and rows.start) or rows == 200:
            raise OSError("power cut")
        return read(self, rows)

    monkeypatch.setattr(Crops, "read", fail)
    for name in OUTS:
        with pytest.raises(OSError, match="power cut"):
            export_crops(crops, there / name)
        assert not list(there.iterdir())


def test_export_says_what_it_cannot_do(crop_file, batch, tmp_path):
    given = batch(3)
    floats = crop_file(dataclasses.replace(given, images=given.images.astype(np.float32)))
    with pytest.raises(CropError, match=r"PNGs of 8 or 16 bits, and .* holds float32"):
        export_crops(floats, tmp_path / "cells")
    with pytest.raises(CropError, match=r"no format goes with 'a\.tiff'"):
        export_crops(floats, tmp_path / "a.tiff")
    with pytest.raises(CropError, match="no crop file at"):
        export_crops(tmp_path / "absent.h5ad", tmp_path / "a.npy")


def test_import_says_what_it_cannot_read(crop_file, batch, tmp_path):
    crops = crop_file(rich(batch, 30))
    csv = tmp_path / "t.csv"

    def attempt(path, table=None):
        import_crops(path, table, tmp_path / "bad.h5ad")

    with pytest.raises(CropError, match="only DeepProfiler's single cells"):
        attempt(tmp_path)
    with pytest.raises(CropError, match="is a crop file already"):
        attempt(crops.path)
    whole = export_crops(crops, tmp_path / "whole.h5sc")
    with pytest.raises(CropError, match=r"has its own table of cells: leave out .*t.csv"):
        attempt(whole, csv)
    (tmp_path / "cut.h5sc").write_bytes(whole.read_bytes()[:-3000])
    with pytest.raises(CropError, match="not readable HDF5"):
        attempt(tmp_path / "cut.h5sc")
    with h5py.File(tmp_path / "other.h5sc", "w") as file:
        file["x"] = 1
    with pytest.raises(CropError, match=r"is not scPortrait's .h5sc, or it is damaged"):
        attempt(tmp_path / "other.h5sc")
    with h5py.File(whole, "a") as file:
        file["obsm/masks"].resize(3, axis=0)
    with pytest.raises(CropError, match="masks of shape"):
        attempt(whole)
    plain = export_crops(crops, tmp_path / "plain.npy")
    plain.with_suffix(".json").write_text(json.dumps({"kind": "cellssl crops"}))
    with pytest.raises(CropError, match=r"is damaged .*: export the crops again"):
        attempt(plain)
    plain.with_suffix(".json").unlink()
    with pytest.raises(CropError, match="does not say what its channels are"):
        attempt(plain)
    folder = export_crops(crops, tmp_path / "cells")
    next(folder.rglob("*.png")).unlink()
    with pytest.raises(CropError, match="lacks 1 of the 30 crops"):
        attempt(folder)
    assert not (tmp_path / "bad.h5ad").exists()


@pytest.mark.parametrize("name", OUTS[1:])
def test_columns_may_be_added_to_an_exported_table(crop_file, batch, tmp_path, name):
    crops = crop_file(rich(batch, 6))
    out = export_crops(crops, tmp_path / name)
    path = out / "sc-metadata.csv" if out.is_dir() else out.with_suffix(".csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.drop(columns="Metadata_empty").assign(Metadata_dose=range(6)).to_csv(path, index=False)
    obs = Crops.open(import_crops(out, None, tmp_path / "back.h5ad")).obs
    assert obs["Metadata_dose"].tolist() == list(range(6))
    pd.testing.assert_frame_equal(
        obs.drop(columns="Metadata_dose"), crops.obs.drop(columns="Metadata_empty")
    )


def test_real_cells_there_and_back(data, tmp_path):
    source = data / "bbbc021" / "crops"
    with h5py.File(source / "crops.h5") as file:
        np.save(tmp_path / "some.npy", file["crops"][:300])
    pd.read_csv(source / "cells.csv").head(300).to_csv(tmp_path / "some.csv", index=False)
    channels = ["DAPI", "Tubulin", "Actin"]
    crops = Crops.open(
        import_crops(tmp_path / "some.npy", None, tmp_path / "in.h5ad", channels=channels)
    )
    for name in OUTS:
        out = export_crops(crops, tmp_path / "out" / name)
        again = Crops.open(import_crops(out, None, tmp_path / "back.h5ad"))
        pd.testing.assert_frame_equal(crops.obs, again.obs)
        off = np.abs(again.read().astype(int) - crops.read())
        assert (off <= (crops.read() / 2048 if name == "out.h5sc" else 0)).all()


@pytest.mark.parametrize("name", ["plate.npy", "plate.h5"])
def test_tables_that_no_export_made_are_not_replaced(crop_file, batch, tmp_path, name):
    crops = crop_file(batch(3))
    (tmp_path / "plate.csv").write_text("mine")
    with pytest.raises(CropError, match="choose another name"):
        export_crops(crops, tmp_path / name)
    assert (tmp_path / "plate.csv").read_text() == "mine"
    (tmp_path / "plate.csv").unlink()
    export_crops(crops, tmp_path / name)
    export_crops(crops, tmp_path / name)  # its own it may


@pytest.mark.parametrize("gap", ["", "nan", "NaN"])  # as other programs write it
def test_gaps_of_nullable_columns_stay_gaps(tmp_path, gap):
    types = {"sure": "boolean", "count": "Int64", "share": "float32"}
    text = f"Cellssl_Name,sure,count,share,well\n01,True,3,0.1,NA\n02,,,{gap},\n"
    (tmp_path / "t.csv").write_text(text)
    table = Sidecar((), columns={**types, "well": "object"}).read_table(tmp_path / "t.csv")
    assert table[[*types]].dtypes.astype(str).to_dict() == types
    assert table["sure"].tolist() == [True, pd.NA]
    assert table["count"].isna().tolist() == table["share"].isna().tolist() == [False, True]
    assert table[["Cellssl_Name", "well"]].to_numpy().tolist() == [["01", "NA"], ["02", ""]]


@pytest.mark.parametrize("name", ["out.npy", "out.h5"])
def test_masks_that_are_gone_are_named(crop_file, batch, tmp_path, name):
    out = export_crops(crop_file(batch(3)), tmp_path / name)
    if name == "out.npy":
        (tmp_path / "out_masks.npy").unlink()
    else:
        with h5py.File(out, "a") as file:
            del file["masks"]
    with pytest.raises(CropError, match=r"no masks of nucleus beside .*: export it again"):
        import_crops(out, None, tmp_path / "back.h5ad")
