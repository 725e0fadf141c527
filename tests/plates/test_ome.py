"""OME-TIFF and OME-Zarr beyond the plain round trip."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellssl.errors import PlateError
from cellssl.plates import index, read_field

from . import microscopes
from .microscopes import SHAPE, shoot

UUIDS = [f"urn:uuid:00000000-0000-0000-0000-00000000000{n}" for n in range(2)]


def _pixels(pages: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60_000, (pages, *SHAPE)).astype(np.uint16)


def _image(
    number: int, order: str, size: tuple[int, int, int], data: str, names: Sequence[str] = ()
) -> str:
    c, z, t = size
    channels = "".join(
        f'<Channel ID="Channel:{number}:{n}" Name="{name}"/>' for n, name in enumerate(names)
    )
    return (
        f'<Image ID="Image:{number}"><Pixels ID="Pixels:{number}" DimensionOrder="{order}" Type="uint16" '
        f'SizeX="{SHAPE[1]}" SizeY="{SHAPE[0]}" SizeC="{c}" SizeZ="{z}" SizeT="{t}">{channels}{data}'
        "</Pixels></Image>"
    )


def _ome(path: Path, pixels: np.ndarray, content: str, uuid: str = UUIDS[0]) -> None:
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME '
        f'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="{uuid}">{content}</OME>'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pixels):
            file.write(
                page, description=xml if number == 0 else None, metadata=None, contiguous=False
            )


@pytest.mark.parametrize("order", ["XYCZT", "XYZCT", "XYTCZ", "XYZTC"])
def test_every_dimension_order(tmp_path: Path, order: str) -> None:
    size = dict(zip("CZT", (2, 3, 2), strict=True))
    shape = [size[axis] for axis in reversed(order[2:])]
    pixels = _pixels(12)
    _ome(
        tmp_path / "A01.ome.tif",
        pixels,
        _image(0, order, (2, 3, 2), '<TiffData IFD="0" PlaneCount="12"/>', ("D", "G")),
    )
    axes = [list(reversed(order[2:])).index(axis) for axis in "TCZ"]
    expected = pixels.reshape(*shape, *SHAPE).transpose(*axes, 3, 4)[0]
    found = index(tmp_path, z="2")
    np.testing.assert_array_equal(read_field(found.fields.iloc[0], ("D", "G")), expected[:, 1])
    found = index(tmp_path, z="max")
    np.testing.assert_array_equal(read_field(found.fields.iloc[0], ("D", "G")), expected.max(1))
    assert found.notes[-1].startswith("6 images of 1 later time point")


def test_wells_and_sites_of_the_ome_plate(tmp_path: Path) -> None:
    samples = "".join(
        f'<Well ID="Well:{n}" Row="{row}" Column="4"><WellSample ID="WellSample:{n}:0" Index="{2 * n}">'
        f'<ImageRef ID="Image:{2 * n}"/></WellSample><WellSample ID="WellSample:{n}:1" '
        f'Index="{2 * n + 1}"><ImageRef ID="Image:{2 * n + 1}"/></WellSample></Well>'
        for n, row in enumerate((0, 26))
    )
    images = "".join(
        _image(n, "XYCZT", (1, 1, 1), f'<TiffData IFD="{n}"/>', ("D",)) for n in range(4)
    )
    pixels = _pixels(4)
    _ome(tmp_path / "all.tif", pixels, f'<Plate ID="Plate:0" Name="P7">{samples}</Plate>{images}')
    found = index(tmp_path)
    assert found.notes[0] == "layout ome-tiff: all.tif has 4 pages and OME-XML"
    keys = found.fields[["Metadata_Plate", "Metadata_Well", "Metadata_Site"]].to_numpy().tolist()
    assert keys == [["P7", well, site] for well in ("A05", "AA05") for site in "12"]
    read = np.concatenate([read_field(row) for _, row in found.fields.iterrows()])
    np.testing.assert_array_equal(read, pixels)


def test_one_image_in_two_files(tmp_path: Path) -> None:
    data = "".join(
        f'<TiffData IFD="0" FirstC="{n}" PlaneCount="1"><UUID FileName="{name}_B02.ome.tif">{UUIDS[n]}'
        "</UUID></TiffData>"
        for n, name in enumerate("dg")
    )
    pixels = _pixels(2)
    for n, name in enumerate("dg"):
        content = _image(0, "XYCZT", (2, 1, 1), data, ("D", "G"))
        _ome(tmp_path / f"{name}_B02.ome.tif", pixels[n : n + 1], content, UUIDS[n])
    (tmp_path / "d_B02.ome.tif").rename(tmp_path / "renamed_B02.ome.tif")
    found = index(tmp_path)
    assert found.problems.empty
    np.testing.assert_array_equal(read_field(found.fields.iloc[0], ("D", "G")), pixels)


@pytest.mark.parametrize("master", ["run_MMStack_A1-Site_0.ome.tif", "OMEXMLMetadata.ome"])
def test_files_that_another_describes(tmp_path: Path, master: str) -> None:
    """Of MicroManager's positions one file has the XML of all, or a text beside them has it."""
    names = [f"run_MMStack_{well}-Site_{site}.ome.tif" for well in ("A1", "B12") for site in (0, 1)]
    content = ""
    for number, name in enumerate(names):
        data = "".join(
            f'<TiffData IFD="{page}" FirstC="{page}" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{number}</UUID>'
            "</TiffData>"
            for page in (0, 1)
        )
        content += _image(number, "XYCZT", (2, 1, 1), data, ("DAPI", "GFP"))
    pointer = f'<BinaryOnly MetadataFile="{master}" UUID="urn:uuid:0"/>'
    pixels = _pixels(8).reshape(4, 2, *SHAPE)
    for number, name in enumerate(names):
        own = content if name == master else pointer
        _ome(tmp_path / "run" / name, pixels[number], own, f"urn:uuid:{number}")
    if master not in names:
        (tmp_path / "run" / master).write_text(f"<OME>{content}</OME>")
    found = index(tmp_path)
    assert (found.problems.empty, found.channels) == (True, ("DAPI", "GFP"))
    keys = found.fields[["Metadata_Well", "Metadata_Site"]].to_numpy().tolist()
    assert keys == [[well, site] for well in ("A01", "B12") for site in "01"]
    read = np.stack([read_field(row) for _, row in found.fields.iterrows()])
    np.testing.assert_array_equal(read, pixels)


@pytest.mark.parametrize(
    ("name", "well", "site"),
    [
        ("P1_B03_s2.ome.tif", "B03", "2"),
        ("B3 site 04.ome.tiff", "B03", "4"),
        ("exp-AA12-f10.ome.tif", "AA12", "10"),
        ("H_12.ome.tif", "H12", "1"),
    ],
)
def test_well_by_name(tmp_path: Path, name: str, well: str, site: str) -> None:
    _ome(tmp_path / name, _pixels(1), _image(0, "XYCZT", (1, 1, 1), "<TiffData/>"))
    row = index(tmp_path).fields.iloc[0]
    assert (row["Metadata_Well"], row["Metadata_Site"]) == (well, site)
    assert row["Path_1"] == str(tmp_path / name)


def test_well_by_pattern(tmp_path: Path) -> None:
    for number in (1, 2):
        path = tmp_path / f"scan{number}" / "r03c04.ome.tif"
        _ome(path, _pixels(2), _image(0, "XYCZT", (2, 1, 1), "<TiffData/>", ("D", "G")))
    with pytest.raises(
        PlateError, match=r"not just one well in its name.*--layout ome-tiff and a --pattern"
    ):
        index(tmp_path)
    pattern = r"scan(?P<site>\d)/r(?P<row>\d+)c(?P<column>\d+)"
    fields = index(tmp_path, layout="ome-tiff", pattern=pattern).fields
    assert fields["Metadata_Well"].tolist() == ["C04", "C04"]
    assert fields["Metadata_Site"].tolist() == ["1", "2"]


def test_files_that_are_not_as_they_say(tmp_path: Path) -> None:
    good = _image(0, "XYCZT", (2, 1, 1), "<TiffData/>", ("D", "G"))
    _ome(tmp_path / "A01.ome.tif", _pixels(2), good)
    _ome(tmp_path / "A02.ome.tif", _pixels(1), good)
    tifffile.imwrite(tmp_path / "A03.ome.tif", _pixels(1)[0], ome=False)
    (tmp_path / "A04.ome.tif").write_bytes(b"II*\0")
    _ome(tmp_path / "A05.ome.tif", _pixels(1), '<BinaryOnly MetadataFile="a.companion.ome"/>')
    _ome(
        tmp_path / "A06.ome.tif", _pixels(2), good.replace("<TiffData/>", '<TiffData FirstC="7"/>')
    )
    _ome(tmp_path / "A07.ome.tif", _pixels(2), good.replace("</Image>", ""))
    _ome(tmp_path / "A08.ome.tif", _pixels(2), good.replace('Name="D"', 'SamplesPerPixel="3"'))
    found = index(tmp_path)
    assert found.fields["Metadata_Well"].tolist() == ["A01"]
    said = dict(detail.split(": ", 1) for detail in found.problems["Detail"] if ": " in detail)
    assert {name: text.split("(")[0].strip() for name, text in said.items()} == {
        "A03.ome.tif": "no OME-XML",
        "A04.ome.tif": "cannot be read as a TIFF",
        "A05.ome.tif": "its OME-XML is in a.companion.ome, which is not beside it: copy it there, or export the "
        "images whole",
        "A06.ome.tif": "its OME-XML is not as expected",
        "A07.ome.tif": "is truncated or damaged",
        "A08.ome.tif": "colour: wanted grey channels",
    }
    incomplete = found.problems[found.problems["Problem"] == "incomplete"].iloc[0]
    assert (incomplete["Metadata_Well"], incomplete["Detail"]) == ("A02", "lacks G")


def test_channels_of_one_name_are_told_apart(tmp_path: Path) -> None:
    content = _image(0, "XYCZT", (3, 1, 1), "<TiffData/>", ("GFP", "GFP", "a/b"))
    _ome(tmp_path / "A01.ome.tif", _pixels(3), content)
    assert index(tmp_path).channels == ("GFP_1", "GFP_2", "a-b")


# ImageJ


def test_hyperstacks_of_imagej(tmp_path: Path) -> None:
    stack = _pixels(12).reshape(2, 3, 2, *SHAPE)  # frames, slices, channels
    tifffile.imwrite(tmp_path / "B02_s3.tif", stack, imagej=True, metadata={"axes": "TZCYX"})
    found = index(tmp_path, z="max")
    assert (
        found.notes[0]
        == "layout ome-tiff: B02_s3.tif has 12 pages and the header of ImageJ (would fit less well: imagexpress)"
    )
    assert found.channels == ("1", "2")
    np.testing.assert_array_equal(read_field(found.fields.iloc[0]), stack[0].max(0))


def test_stacks_of_imagej_whose_names_say_the_channel(tmp_path: Path) -> None:
    stacks = _pixels(6).reshape(2, 3, *SHAPE)
    for number, stack in enumerate(stacks, start=1):
        path = tmp_path / f"B02_s1_w{number}.tif"
        tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"})
    assert index(tmp_path).notes[0].startswith("layout imagexpress")
    pattern = r"(?P<well>[A-Z]\d+)_s(?P<site>\d)_w(?P<channel>\d)"
    found = index(tmp_path, layout="ome-tiff", pattern=pattern, z="mean")
    expected = np.round(stacks.mean(1)).astype(np.uint16)
    np.testing.assert_array_equal(read_field(found.fields.iloc[0], ("1", "2")), expected)


def test_a_header_of_imagej_that_does_not_fit(tmp_path: Path) -> None:
    about = "ImageJ=1.54f\nimages=6\nchannels=2\nslices=3\nhyperstack=true\n"
    with tifffile.TiffWriter(tmp_path / "A01.tif") as file:
        for number, page in enumerate(_pixels(2)):
            file.write(page, description=about if number == 0 else None, metadata=None)
    with pytest.raises(PlateError, match="2 channels, 3 slices and 1 frames, and it has 2 pages"):
        index(tmp_path, layout="ome-tiff")


# OME-Zarr


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_is_missing_in_zarr(tmp_path: Path, version: str) -> None:
    pytest.importorskip("ngio")
    plate = microscopes.ome_zarr(tmp_path, shoot(wells=("B02", "C11", "D05")), version)
    shutil.rmtree(plate / "B" / "02" / "1")
    shutil.rmtree(plate / "C" / "11")
    metadata = "zarr.json" if version == "0.5" else ".zattrs"
    (plate / "D" / "05" / "2" / metadata).write_text("{}")
    found = index(plate)
    keys = found.fields[["Metadata_Well", "Metadata_Site"]].to_numpy().tolist()
    assert keys == [["B02", "2"], ["D05", "1"]]
    assert found.absent == 2
    assert [detail.split(": ")[0] for detail in found.problems["Detail"]] == ["D/05/2"]
    assert found.notes[0] == "layout ome-zarr: P1.zarr is an OME-Zarr plate"


def test_a_plate_of_0_5_without_a_version_of_its_own(tmp_path: Path) -> None:
    pytest.importorskip("ngio")
    plate = microscopes.ome_zarr(tmp_path, shoot(), "0.5")
    metadata = json.loads((plate / "zarr.json").read_text())
    metadata["attributes"]["ome"]["plate"].pop("version", None)
    (plate / "zarr.json").write_text(json.dumps(metadata))
    assert len(index(plate).fields) == 4  # and no warning, which would fail this test


@pytest.mark.parametrize(
    ("lacking", "channels"),
    [
        (["color"], microscopes.NAMES),
        (["color", "window"], microscopes.NAMES),
        (["color", "window", "label"], ("1", "2")),
        (None, ("1", "2")),
    ],
)
def test_images_are_read_whatever_is_known_of_their_colours(
    tmp_path: Path, lacking: list[str] | None, channels: tuple[str, ...]
) -> None:
    pytest.importorskip("ngio")
    plate = microscopes.ome_zarr(tmp_path, shoot(wells=("B02",)), "0.4")
    whole = index(plate)
    for metadata in plate.glob("B/02/*/.zattrs"):
        attributes = json.loads(metadata.read_text())
        for channel in attributes["omero"]["channels"]:
            for name in lacking or ():
                channel.pop(name, None)
        if lacking is None:
            del attributes["omero"]
        metadata.write_text(json.dumps(attributes))
    found = index(plate)
    assert found.channels == tuple(channels)
    np.testing.assert_array_equal(
        read_field(found.fields.iloc[0]), read_field(whole.fields.iloc[0])
    )


def test_channels_of_one_name_are_told_apart_in_ome_zarr(tmp_path: Path) -> None:
    pytest.importorskip("ngio")
    plate = microscopes.ome_zarr(tmp_path, shoot(wells=("B02",)), "0.4")
    for metadata in plate.glob("B/02/*/.zattrs"):
        attributes = json.loads(metadata.read_text())
        for channel in attributes["omero"]["channels"]:
            channel["label"] = "GFP"
        metadata.write_text(json.dumps(attributes))
    found = index(plate)
    assert (found.channels, found.problems.empty) == (("GFP_1", "GFP_2"), True)


def test_metadata_that_lack_something_are_told_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("ngio")
    plate = microscopes.ome_zarr(tmp_path, shoot(wells=("B02",)), "0.4")
    metadata = plate / "B" / "02" / ".zattrs"
    attributes = json.loads(metadata.read_text())
    del attributes["well"]["images"][0]["path"]
    metadata.write_text(json.dumps(attributes))
    said = r"or can be read, such as B/02: in its metadata (\w+\.)*images\.0\.path: Field required"
    with pytest.raises(PlateError, match=said) as error:
        index(plate)
    assert "\n" not in str(error.value)


def test_only_one_acquisition_is_taken(tmp_path: Path) -> None:
    ngio = pytest.importorskip("ngio")
    pixels = _pixels(2)
    path = tmp_path / "P.zarr"
    wells = [
        ngio.ImageInWellPath(row="A", column="01", path=str(n), acquisition_id=n) for n in (0, 1)
    ]
    ngio.create_empty_plate(str(path), name="P", images=wells)
    for n in (0, 1):
        ngio.create_ome_zarr_from_array(
            str(path / "A" / "01" / str(n)),
            pixels[n],
            pixelsize=1.0,
            consolidation_mode="auto",
            levels=1,
        )
    found = index(tmp_path)
    assert len(found.fields) == 1
    np.testing.assert_array_equal(read_field(found.fields.iloc[0])[0], pixels[0])
    assert any("has 2 acquisitions; all but number 0 are left out" in note for note in found.notes)


def test_a_plate_without_ngio_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "P.zarr"
    group.mkdir()
    (group / ".zgroup").write_text('{"zarr_format": 2}')
    (group / ".zattrs").write_text('{"plate": {"wells": []}}')
    monkeypatch.setitem(sys.modules, "ngio", None)
    with pytest.raises(PlateError, match=r"pip install 'cellssl\[ome-zarr\]'"):
        index(tmp_path)


def test_other_zarr_is_no_plate(tmp_path: Path) -> None:
    group = tmp_path / "crops.zarr"
    group.mkdir()
    (group / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    with pytest.raises(PlateError, match=r"holds no TIFF or PNG files.*and no OME-Zarr plate"):
        index(tmp_path)
    with pytest.raises(PlateError, match="is no OME-Zarr plate and holds none"):
        index(tmp_path, layout="ome-zarr")
