import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellssl.cells import LabelImages, Segmenter, ThresholdSegmenter, crop
from cellssl.cells.segmentation.labels import FieldSegmenter, segmenter_for
from cellssl.crops import Crops
from cellssl.errors import PlateError
from cellssl.plates import FieldError

FIELD = np.zeros((2, 30, 40), np.uint16)
NUCLEI = np.zeros((30, 40), np.uint16)
NUCLEI[3:8, 3:8], NUCLEI[20:26, 30:36] = 4, 17
CELLS = np.zeros((30, 40), np.uint16)
CELLS[1:10, 1:10], CELLS[18:28, 28:38] = 1, 2


CLASSES = np.zeros((30, 40), np.uint8)  # of a network: insides 1, edges 2
for y in range(3):
    for x in range(4):
        CLASSES[10 * y + 2 : 10 * y + 8, 10 * x + 2 : 10 * x + 8] = 2
        CLASSES[10 * y + 3 : 10 * y + 7, 10 * x + 3 : 10 * x + 7] = 1
MANY = np.zeros((30, 40), np.uint8)  # 300 objects, numbered in 8 bits
MANY[::2, ::2] = np.arange(300).reshape(15, 20).astype(np.uint8)


def row(well="B02", site=3, image="B02_s3_dna.ome.tif"):
    return {
        "Metadata_Plate": "P1",
        "Metadata_Well": well,
        "Metadata_Site": site,
        "Metadata_Mask": "m_7.png",
        "Path_GFP": "images/B02_s3_gfp.tif",
        "Path_DNA": f"images/{image}",
    }


def segment(segmenter, of=None):
    return segmenter.for_field(of or row()).segment(FIELD, ["GFP", "DNA"])


def save(path, array):
    path.parent.mkdir(exist_ok=True, parents=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".png":
        Image.fromarray(array).save(path)
    else:
        tifffile.imwrite(path, array)


@pytest.mark.parametrize(
    "pattern",
    [
        "{plate}/{well}_s{site:02d}.tif",
        "{Plate}-{image}_masks.png",
        "{image}.npy",
        "sub/{Mask}",
    ],
)
def test_a_pattern_names_each_fields_labels(tmp_path, pattern):
    names = {
        "{plate}/{well}_s{site:02d}.tif": "P1/B02_s03.tif",
        "{Plate}-{image}_masks.png": "P1-B02_s3_dna_masks.png",
        "{image}.npy": "B02_s3_dna.npy",
        "sub/{Mask}": "sub/m_7.png",
    }
    save(tmp_path / names[pattern], NUCLEI)
    segmenter = LabelImages(f"{tmp_path}/{pattern}")
    segmenter.check(["GFP", "DNA"])
    labels = segment(segmenter)
    assert labels.nuclei.dtype == np.int32
    np.testing.assert_array_equal(labels.nuclei, NUCLEI)  # numbers are kept
    assert labels.cells is None


def test_sites_of_an_index_are_texts_that_a_pattern_may_pad():
    here = LabelImages("{well}_{site:02d}_{site}.png").for_field(row(site="3"))
    assert here.files[0].name == "B02_03_3.png"


def test_a_stack_of_one_plane_is_that_plane(tmp_path):
    save(tmp_path / "n.tif", NUCLEI[None])
    labels = segment(LabelImages(f"{tmp_path}/n{{Gap}}.tif"), row() | {"Metadata_Gap": ""})
    np.testing.assert_array_equal(labels.nuclei, NUCLEI)


def test_a_folder_is_searched_by_the_images_names(tmp_path):
    save(tmp_path / "B02_s3_dna_cp_masks.tif", NUCLEI)
    save(tmp_path / "B02_s3_dna2.tif", 0 * NUCLEI)  # another image's
    save(tmp_path / "B02_s30_dna.tif", 0 * NUCLEI)
    np.testing.assert_array_equal(segment(LabelImages(str(tmp_path))).nuclei, NUCLEI)
    save(tmp_path / "B02_s3_dna_cells.png", CELLS)
    with pytest.raises(FieldError, match=r"2 label images .*\{image\}_cells\.png"):
        segment(LabelImages(str(tmp_path)))
    with pytest.raises(FieldError, match="no label image whose name begins with C05_dna"):
        segment(LabelImages(str(tmp_path)), row(image="C05_dna.tif"))


def test_an_image_is_not_its_own_label(tmp_path):
    save(tmp_path / "a.tif", FIELD[0])
    here = {"Path_DNA": str(tmp_path / "a.tif")}
    with pytest.raises(FieldError, match="no label image"):
        segment(LabelImages(str(tmp_path)), here)


def test_cells_take_the_numbers_of_their_nuclei(tmp_path):
    save(tmp_path / "n.tif", NUCLEI)
    save(tmp_path / "c.tif", CELLS)
    labels = segment(
        LabelImages(f"{tmp_path}/n{{Gap}}.tif", f"{tmp_path}/c{{Gap}}.tif"),
        row() | {"Metadata_Gap": ""},
    )
    assert sorted(np.unique(labels.cells)) == [0, 4, 17]
    assert (labels.cells == 17).sum() == (CELLS == 2).sum()


@pytest.mark.parametrize("edge", [0, 1])
def test_cytoplasm_is_no_cell(tmp_path, edge):
    """CellProfiler's, with or without an edge of the nucleus; a nucleus may lack its cell."""
    inner = np.roll(NUCLEI > 0, edge, axis=0) & (NUCLEI > 0)
    save(tmp_path / "n.tif", NUCLEI)
    save(tmp_path / "c.tif", np.where(inner, 0, CELLS))
    save(tmp_path / "one.tif", np.where(CELLS == 1, 1, 0))
    of = row() | {"Metadata_Gap": ""}
    nuclei, cells = f"{tmp_path}/n{{Gap}}.tif", f"{tmp_path}/{{}}{{{{Gap}}}}.tif"
    with pytest.raises(FieldError, match=r"c\.tif leaves out most of the nuclei.* whole cells"):
        segment(LabelImages(nuclei, cells.format("c")), of)
    whole = segment(LabelImages(nuclei, cells.format("one")), of)
    assert sorted(np.unique(whole.cells)) == [0, 4]


@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_the_only_cell_of_a_field_may_lie_aside_of_its_only_nucleus(tmp_path, overlap):
    """In a well of dead cells both are few."""
    save(tmp_path / "n.npy", np.where(NUCLEI == 4, NUCLEI, 0))
    save(tmp_path / "c.npy", np.roll(np.where(CELLS == 1, 1, 0), 9 - overlap, axis=1))
    labels = segment(
        LabelImages(f"{tmp_path}/n{{Gap}}.npy", f"{tmp_path}/c{{Gap}}.npy"),
        row() | {"Metadata_Gap": ""},
    )
    assert labels.nuclei.any()


@pytest.mark.parametrize(
    ("array", "ending", "said"),
    [
        (NUCLEI[:, :20], "tif", r"30 × 20 pixels, its field 30 × 40"),
        (NUCLEI / np.float32(255), "tif", "holds float32 of which not all are whole: wanted"),
        (np.where(NUCLEI > 0, NUCLEI, np.nan), "npy", "holds float64 of which not all"),
        (
            np.stack([NUCLEI.astype(np.uint8)] * 3, axis=-1),
            "tif",
            r"has shape \(30, 40, 3\): wanted",
        ),
        (NUCLEI > 0, "npy", "a mask of 2 parts that all have the number 1: wanted"),
        (NUCLEI > 0, "png", "a mask of 2 parts that all have the number 1: wanted"),
        (CLASSES, "png", "has 2 numbers for 24 parts: wanted"),
        (MANY, "tif", "has 255 numbers for 298 parts: wanted"),
        (
            NUCLEI + np.uint16(1),
            "tif",
            "95 % of its field have the number 1: wanted 0 for the back",
        ),
        (NUCLEI.astype(np.int32) - 1, "npy", "from -1 to 16"),
        (NUCLEI.astype(np.int64) * 10**9, "npy", "wanted 0 to 10,000,000"),
        (np.uint8(255) * (NUCLEI > 0), "png", "a mask of 2 parts that all have the number 255"),
        (np.array([{"a": 1}], object), "npy", "allow_pickle"),
    ],
)
def test_what_does_not_fit_is_the_fields_problem(tmp_path, array, ending, said):
    save(tmp_path / f"B02.{ending}", array)
    with pytest.raises(FieldError, match=rf"B02\.{ending}:? .*{said}"):
        segment(LabelImages(f"{tmp_path}/{{well}}.{ending}"))


@pytest.mark.parametrize("binning", [1, 2])
def test_whole_numbers_may_be_stored_as_floats(tmp_path, binning):
    """ImageJ writes labels beyond 8 bits as floats of 32 bits."""
    found = []
    for kind in (np.uint16, np.float32):
        save(tmp_path / f"{np.dtype(kind)}/B02.tif", NUCLEI.astype(kind))
        one = LabelImages(f"{tmp_path}/{np.dtype(kind)}/{{well}}.tif").for_field(row(), binning)
        found.append(one.segment(FIELD[:, ::binning, ::binning], ["GFP", "DNA"]).nuclei)
    np.testing.assert_array_equal(found[0], found[1])
    assert found[1].max() == 17


def test_labels_of_a_binned_field_are_named_by_their_own_size(tmp_path):
    save(tmp_path / "B02.tif", NUCLEI)
    binned = LabelImages(f"{tmp_path}/{{well}}.tif").for_field(row(), binning=2)
    with pytest.raises(
        FieldError, match="30 × 40 pixels, its field 30 × 40 once it is binned by 2"
    ):
        binned.segment(FIELD, ["GFP", "DNA"])


@pytest.mark.parametrize("ending", ["tif", "png", "npy"])
def test_missing_and_damaged_files_are_the_fields_problem(tmp_path, ending):
    path = tmp_path / f"B02.{ending}"
    segmenter = LabelImages(f"{tmp_path}/{{well}}.{ending}")
    with pytest.raises(FieldError, match=rf"{path.name} is not there$"):
        segment(segmenter)
    path.write_bytes(b"no image")
    with pytest.raises(FieldError, match=path.name):
        segment(segmenter)
    with pytest.raises(FieldError, match="is no label image: wanted"):
        segment(LabelImages(f"{tmp_path}/{{well}}.xml"))


def test_what_fits_no_field_is_said_before_the_work(tmp_path):
    with pytest.raises(PlateError, match="no folder of label images"):
        LabelImages(str(tmp_path / "none")).check(["DNA"])
    with pytest.raises(PlateError, match="braces"):
        LabelImages("masks/{well.tif").check(["DNA"])
    with pytest.raises(PlateError, match=r"\{gene\}; the index has .*\{well\}"):
        LabelImages("masks/{gene}.tif").for_field(row())
    with pytest.raises(PlateError, match="cannot be filled in"):
        LabelImages("masks/{well:d}.tif").for_field(row())
    with pytest.raises(PlateError, match="no channel 'Ho'"):
        LabelImages("{well}.tif", nucleus_channel="Ho").check(["DNA"])
    with pytest.raises(FieldError, match="for_field"):
        LabelImages("{well}.tif").segment(FIELD, ["GFP", "DNA"])


def test_it_is_a_segmenter_of_one_field(tmp_path):
    segmenter = LabelImages(f"{tmp_path}/{{well}}.tif")
    assert isinstance(segmenter, Segmenter)
    assert isinstance(segmenter, FieldSegmenter)
    bound, files = segmenter_for(segmenter, row())
    assert [path.name for path in files] == ["B02.tif"]
    assert bound.settings() == segmenter.settings()
    save(tmp_path / "B02.tif", NUCLEI)
    again = pickle.loads(pickle.dumps(bound))
    np.testing.assert_array_equal(again.segment(FIELD, ["GFP", "DNA"]).nuclei, NUCLEI)
    other = ThresholdSegmenter()
    assert segmenter_for(other, row()) == (other, ())
    assert not isinstance(other, FieldSegmenter)


def test_a_folder_is_listed_anew_when_it_changed(tmp_path):
    folder = tmp_path / "masks"
    save(folder / "B02_s3_dna.tif", NUCLEI)
    assert segment(LabelImages(str(folder))).nuclei.max() == 17
    shutil.rmtree(folder)
    save(folder / "B02_s3_dna.png", NUCLEI)
    assert segment(LabelImages(str(folder))).nuclei.max() == 17


def test_a_plate_is_cropped_by_label_images(make_plate, tmp_path):
    """One field has no label image, one a wrong one; the others are cut at the given places."""
    index = make_plate(4)
    nuclei = np.zeros((96, 96), np.uint16)
    nuclei[40:52, 30:42], nuclei[60:70, 60:70] = 5, 9
    for well, labels in (("A01", nuclei), ("A02", nuclei[:50]), ("A04", nuclei)):
        save(tmp_path / "masks" / f"{well}.png", labels)
    report = crop(
        index,
        tmp_path / "out",
        segmenter=LabelImages(f"{tmp_path}/masks/{{well}}.png"),
        size=32,
        progress=False,
    )
    assert report.found == 4
    problems = report.problems.set_index("Metadata_Well")["Problem"]
    assert sorted(problems.index) == ["A02", "A03"]
    assert "50 × 96 pixels, its field 96 × 96" in problems["A02"]
    assert "A03.png is not there" in problems["A03"]
    obs = Crops.open(report.crops).obs
    assert sorted(obs["Metadata_Label"]) == [5, 5, 9, 9]


ZARR_AXES = {"czyx": [{"name": name} for name in "czyx"], "zyx": [{"name": name} for name in "zyx"]}


def zarr_image(folder, version, labels):
    """Write an image of two channels and three planes with labels (Z, Y, X) in its own group."""
    zarr = pytest.importorskip("zarr")

    def group(path, axes, array):
        new = zarr.open_group(path, mode="a", zarr_format=2 if version == "0.4" else 3)
        new.create_array("0", data=array, chunks=(*[1] * (array.ndim - 2), 16, 20))
        image = {"multiscales": [{"axes": ZARR_AXES[axes], "datasets": [{"path": "0"}]}]}
        new.attrs.update(image if version == "0.4" else {"ome": image})

    group(folder, "czyx", np.ones((2, 3, 30, 40), np.uint16))
    group(folder / "labels" / "nuclei", "zyx", labels)
    return row() | {
        f"Path_{name}": f"{folder}/0::at={c},1" for c, name in enumerate(("GFP", "DNA"))
    }


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_inside_ome_zarr(tmp_path, version):
    planes = np.stack([NUCLEI * (NUCLEI == 4), NUCLEI, np.zeros_like(NUCLEI)]).astype(np.uint32)
    here = zarr_image(tmp_path / "image", version, planes)
    segmenter = LabelImages("labels/nuclei")
    segmenter.check(["GFP", "DNA"])
    np.testing.assert_array_equal(segment(segmenter, here).nuclei, NUCLEI)
    files = segmenter.for_field(here).files
    assert len(files) > 1  # metadata and chunks: when they change, the field is cut anew
    assert all(file.is_file() for file in files)
    first = here | {"Path_DNA": here["Path_DNA"].replace("1,1", "1,0")}
    assert np.unique(segment(segmenter, first).nuclei).tolist() == [0, 4]
    empty = here | {"Path_DNA": here["Path_DNA"].replace("1,1", "1,2")}  # no chunk is written of it
    assert segment(segmenter, empty).nuclei.max() == 0
    every = here | {"Path_DNA": here["Path_DNA"].replace("1,1", "1,{0|1|2}") + "::max"}
    np.testing.assert_array_equal(segment(segmenter, every).nuclei, NUCLEI)


def test_flat_labels_serve_every_plane(tmp_path):
    here = zarr_image(tmp_path / "image", "0.4", NUCLEI[None])
    np.testing.assert_array_equal(segment(LabelImages("labels/nuclei"), here).nuclei, NUCLEI)


def test_labels_that_are_not_in_ome_zarr(tmp_path):
    here = zarr_image(tmp_path / "image", "0.4", NUCLEI[None])
    with pytest.raises(
        FieldError, match=r"labels/cells is no image of OME-Zarr.*beside it lie: nuclei"
    ):
        segment(LabelImages("labels/cells"), here)
    with pytest.raises(FieldError, match=r"B02_s3_dna\.ome\.tif is no image of OME-Zarr"):
        segment(LabelImages("labels/nuclei"))
    chunk = next((tmp_path / "image/labels/nuclei/0").glob("0.*"))
    chunk.write_bytes(chunk.read_bytes()[:9])
    with pytest.raises(FieldError, match="cannot be read as labels in OME-Zarr"):
        segment(LabelImages("labels/nuclei"), here)


@pytest.mark.parametrize("channels", [("ER", "Actin"), ("GFP", "DNA")])
def test_whatever_channels_are_called_and_show_labels_are_taken(make_plate, tmp_path, channels):
    plate = make_plate(2)
    names = dict(zip(("Path_GFP", "Path_DNA"), (f"Path_{name}" for name in channels), strict=True))
    labels = np.zeros((96, 96), np.uint16)
    labels[50:60, 50:60] = 1
    for path in plate.fields["Path_DNA"]:
        image = tifffile.imread(path)
        tifffile.imwrite(path, 5000 - image)
        save(tmp_path / "labels" / f"{Path(path).stem}.tif", labels)
    plate = replace(plate, fields=plate.fields.rename(columns=names), channels=channels)
    report = crop(
        plate,
        tmp_path / "out",
        segmenter=LabelImages(f"{tmp_path}/labels/{{well}}_DNA.tif"),
        size=16,
        progress=False,
    )
    assert report.found == 2
    assert not any("bright on dark" in remark for remark in report.remarks)
