"""Every layout: a plate with true names is read back pixel by pixel; what is wrong is named."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellssl.errors import PlateError
from cellssl.plates import PlateIndex, files_of, index, read_field

from . import microscopes
from .microscopes import Shot, shoot, truth

Writer = Callable[[Path, Sequence[Shot]], object]
PATTERN = r"(?P<well>[A-P]\d\d)-(?P<site>\d+)-(?P<z>\d)-(?P<channel>\d)\.tif"
PROJECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "max": lambda stack: stack.max(0),
    "mean": lambda stack: stack.mean(0).round().astype(stack.dtype),
    "middle": lambda stack: stack[1],
    "3": lambda stack: stack[2],
}


def _flat(stack: np.ndarray) -> np.ndarray:
    return stack[0]


def _ome_zarr(version: str) -> object:
    def write(folder: Path, shots: Sequence[Shot]) -> object:
        pytest.importorskip("ngio")
        return microscopes.ome_zarr(folder, shots, version)

    return pytest.param("ome-zarr", write, microscopes.NAMES, {}, id=f"ome-zarr {version}")


LAYOUTS = [
    pytest.param("imagexpress", microscopes.imagexpress, ("1", "2"), {}, id="imagexpress"),
    pytest.param("phenix", microscopes.phenix, ("1", "2"), {}, id="phenix names"),
    pytest.param("phenix", microscopes.phenix_xml, microscopes.NAMES, {}, id="phenix Index.xml"),
    pytest.param(
        "phenix",
        partial(microscopes.phenix_xml, name="Index.idx.xml"),
        microscopes.NAMES,
        {},
        id="phenix Index.idx.xml",
    ),
    pytest.param("yokogawa", microscopes.cellvoyager, ("1", "2"), {}, id="yokogawa CV"),
    pytest.param("yokogawa", microscopes.cq1, ("1", "2"), {}, id="yokogawa CQ1"),
    pytest.param("yokogawa", microscopes.yokogawa_mlf, ("1", "2"), {}, id="yokogawa mlf"),
    pytest.param("incell", microscopes.incell, ("Blue - FITC", "UV - DAPI"), {}, id="incell"),
    pytest.param(
        "cellprofiler", microscopes.cellprofiler, microscopes.NAMES, {}, id="cellprofiler"
    ),
    pytest.param("ome-tiff", microscopes.ome_tiff, microscopes.NAMES, {}, id="ome-tiff"),
    pytest.param("pattern", microscopes.pattern, ("1", "2"), {"pattern": PATTERN}, id="pattern"),
    _ome_zarr("0.4"),
    _ome_zarr("0.5"),
]
FLAT = [
    *LAYOUTS,
    pytest.param(
        "deepprofiler", microscopes.deepprofiler, microscopes.NAMES, {}, id="deepprofiler"
    ),
]


def _check(found: PlateIndex, shots: Sequence[Shot], project: Callable) -> None:
    fields = found.fields
    assert set(fields["Metadata_Plate"]) == {"P1"}
    keys = list(zip(fields["Metadata_Well"], fields["Metadata_Site"], strict=True))
    assert keys == list(dict.fromkeys((shot.well, str(shot.site)) for shot in shots))
    reversed_ = found.channels == ("Blue - FITC", "UV - DAPI")
    for (well, site), (_, row) in zip(keys, fields.iterrows(), strict=True):
        expected = truth(shots, well, site, project)
        read = read_field(row, found.channels)
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read, expected[::-1] if reversed_ else expected)


@pytest.mark.parametrize(("layout", "write", "channels", "options"), FLAT)
@pytest.mark.parametrize("asked", ["auto", "by name"])
def test_plate_is_read_back(
    tmp_path: Path, layout: str, write: Writer, channels: tuple[str, ...], options: dict, asked: str
) -> None:
    shots = shoot(sites=(2, 12))  # of many sites, one digit and two
    write(tmp_path, shots)
    unnamed = layout == "pattern" or (channels == ("1", "2") and layout == "phenix")
    plate = {"plate": "P1"} if unnamed else {}
    found = index(tmp_path, layout=layout if asked == "by name" else "auto", **options, **plate)
    assert found.notes[0].startswith(f"layout {layout}: ")
    assert found.channels == channels
    assert found.problems.empty
    assert found.absent == 0
    _check(found, shots, _flat)
    for address in found.fields.filter(like="Path_").to_numpy().ravel():
        assert all(path.is_file() for path in files_of(address))


@pytest.mark.parametrize(
    "write",
    [
        microscopes.imagexpress,
        microscopes.phenix,
        microscopes.cellvoyager,
        microscopes.cq1,
        microscopes.incell,
        microscopes.cellprofiler,
        microscopes.deepprofiler,
    ],
)
def test_a_plate_of_pngs_is_one_of_tiffs(tmp_path: Path, write: Writer) -> None:
    write(tmp_path, shoot())
    tiffs = index(tmp_path)
    pixels = [read_field(field) for _, field in tiffs.fields.iterrows()]
    for path in [*tmp_path.rglob("*.tif"), *tmp_path.rglob("*.tiff")]:
        Image.fromarray(tifffile.imread(path)).save(path.with_suffix(".png"))
    assert index(tmp_path).fields.equals(tiffs.fields)  # pictures beside TIFFs are left out
    for path in [*tmp_path.rglob("*.tif"), *tmp_path.rglob("*.tiff")]:
        path.unlink()
    for table in tmp_path.rglob("*.csv"):
        table.write_text(table.read_text().replace(".tiff", ".png").replace(".tif", ".png"))
    pngs = index(tmp_path)
    assert pngs.channels == tiffs.channels
    assert not len(pngs.problems)
    assert len(pngs.fields) == len(tiffs.fields)
    for (_, field), expected in zip(pngs.fields.iterrows(), pixels, strict=True):
        np.testing.assert_array_equal(read_field(field), expected)


@pytest.mark.parametrize(("layout", "write", "channels", "options"), LAYOUTS)
def test_stacks_are_read_as_asked(
    tmp_path: Path, layout: str, write: Writer, channels: tuple[str, ...], options: dict
) -> None:
    shots = shoot(planes=3)
    write(tmp_path, shots)
    with pytest.raises(PlateError, match=r"are stacks: planes 1, 2, 3 .*--z.*max.*mean.*middle"):
        index(tmp_path, **options)
    for z, project in PROJECTIONS.items():
        found = index(tmp_path, z=z, plate="P1", **options)
        assert found.problems.empty
        _check(found, shots, project)
        again = PlateIndex.load(found.save(tmp_path / "saved.parquet"))
        _check(again, shots, project)
        (tmp_path / "saved.parquet").unlink()


@pytest.mark.parametrize(
    ("layout", "write", "channels", "options"),
    [parameter for parameter in FLAT if parameter.values[0] != "ome-zarr"],
)
def test_missing_and_wrong_files_are_named(
    tmp_path: Path, layout: str, write: Writer, channels: tuple[str, ...], options: dict
) -> None:
    shots = shoot()
    write(tmp_path, shots)
    whole = index(tmp_path, plate="P1", **options)
    lost = whole.fields.iloc[0][f"Path_{channels[0]}"]
    files_of(lost)[0].unlink()
    foreign = Path(files_of(whole.fields.iloc[1][f"Path_{channels[0]}"])[0]).with_name(
        "overview.tif"
    )
    tifffile.imwrite(foreign, np.zeros((4, 4), np.uint8))
    found = index(tmp_path, plate="P1", layout=layout, **options)
    kinds = found.problems["Problem"].tolist()
    if layout == "ome-tiff":  # both channels were in the file
        assert kinds == ["unmatched"]
    else:
        assert sorted(kinds) == ["incomplete", "unmatched"]
        incomplete = found.problems[found.problems["Problem"] == "incomplete"].iloc[0]
        assert incomplete["Detail"] == f"lacks {channels[0]}"
        assert (incomplete["Metadata_Well"], incomplete["Metadata_Site"]) == ("B02", "1")
    unmatched = found.problems.loc[found.problems["Problem"] == "unmatched", "Detail"].iloc[0]
    assert "overview.tif: " in unmatched
    assert len(found.fields) == 3


@pytest.mark.parametrize(
    ("layout", "write", "channel"),
    [
        ("imagexpress", microscopes.imagexpress, "1"),
        ("phenix", microscopes.phenix, "1"),
        ("yokogawa", microscopes.cellvoyager, "1"),
        ("incell", microscopes.incell, "UV - DAPI"),
        ("ome-tiff", microscopes.ome_tiff, "DAPI"),
    ],
)
def test_two_files_for_one_image_are_a_duplicate(
    tmp_path: Path, layout: str, write: Writer, channel: str
) -> None:
    write(tmp_path, shoot())
    found = index(tmp_path, plate="P1")
    path = files_of(found.fields.iloc[2][f"Path_{channel}"])[0]
    copy = path.parent / "copy" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    found = index(tmp_path, plate="P1")
    assert set(found.problems["Problem"]) == {"duplicate"}
    row = found.problems.iloc[0]
    assert (row["Metadata_Well"], row["Metadata_Site"]) == ("C11", "1")
    assert path.name in row["Detail"]
    assert f"copy/{path.name}" in row["Detail"]
    assert len(found.fields) == 3


# ImageXpress


def test_thumbnails_are_counted(tmp_path: Path) -> None:
    microscopes.imagexpress(tmp_path, shoot())
    assert "8 thumbnails (_thumb) left out" in index(tmp_path).notes


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("exp_{}_s1_w1.tif", "imagexpress"),
        ("P12_{}_w1.tif", "imagexpress"),
        ("AF12_exp_{}_s1_w1.tif", "imagexpress"),
        ("P1_{}_T0001F001L01A01Z01C01.tif", "yokogawa"),
    ],
)
def test_all_rows_of_a_plate_of_1536_wells(
    write: Callable[..., Path], name: str, layout: str
) -> None:
    rows = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "AA", "AF"]
    wells = [f"{row}48" for row in rows]
    found = index(write(*(name.format(well) for well in wells)), layout=layout)
    assert found.fields["Metadata_Well"].tolist() == wells
    assert found.problems.empty


@pytest.mark.parametrize("start", ["", "P10_", "S10_e_"])
def test_a_site_of_two_digits_is_no_well_of_imagexpress(
    write: Callable[..., Path], start: str
) -> None:
    sites = [("s", "1"), ("S", "10"), ("s", "144")]
    names = [f"{start}{well}_{s}{site}_w1.TIF" for well in ("A01", "AB40") for s, site in sites]
    found = index(write(*names), layout="imagexpress")
    assert found.problems.empty
    read = zip(found.fields["Metadata_Well"], found.fields["Metadata_Site"], strict=True)
    assert list(read) == [(well, site) for well in ("A01", "AB40") for _, site in sites]


@pytest.mark.parametrize(
    "name", ["e_B02_Z01_s1_w1.tif", "e_B02_s1_t01_w1.tif", "e_B02_t1_s01_w1.tif"]
)
def test_a_plane_behind_the_well_is_no_well_of_imagexpress(
    write: Callable[..., Path], name: str
) -> None:
    found = index(write("e_A01_s1_w1.tif", name), layout="imagexpress")
    assert found.fields["Metadata_Well"].tolist() == ["A01"]
    assert found.problems["Problem"].tolist() == ["unmatched"]


def test_plates_of_imagexpress_are_folders(write: Callable[..., Path]) -> None:
    guid = "00000000-0000-0000-0000-000000000000"
    folder = write(
        *(f"{plate}/TimePoint_1/a_A01_w{c}{guid}.tif" for plate in ("P1", "P2") for c in (1, 3))
    )
    found = index(folder)
    assert found.fields["Metadata_Plate"].tolist() == ["P1", "P2"]
    assert found.fields["Metadata_Site"].tolist() == ["1", "1"]
    assert found.channels == ("1", "3")
    assert set(index(folder, plate="X", layout="imagexpress").problems["Problem"]) == {"duplicate"}


def test_prefixes_that_may_be_plates_are_told(write: Callable[..., Path]) -> None:
    """Two plates without a well in common would silently be one."""
    guid = "00000000-0000-0000-0000-000000000000"
    folder = write(
        *(f"{plate}_s1_w{c}{guid}.tif" for plate in ("P1_A01", "P2_B01") for c in (1, 2))
    )
    found = index(folder)
    assert found.fields["Metadata_Plate"].nunique() == 1
    (pattern,) = re.findall(r"begin with P1 and P2, .* --pattern '(.*)'", "\n".join(found.notes))
    assert index(folder, pattern=pattern).fields["Metadata_Plate"].tolist() == ["P1", "P2"]


@pytest.mark.parametrize(
    ("channels", "layout"), [("124", "bbbc021"), ("12", "imagexpress"), ("1234", "imagexpress")]
)
def test_bbbc021_is_told_from_imagexpress_by_its_channels(
    write: Callable[..., Path], channels: str, layout: str
) -> None:
    guid = "648EE446-12C2-4D22-B14B-6EC688B0744A"
    folder = write(*(f"Week2_180607_B02_s1_w{channel}{guid}.tif" for channel in channels))
    assert index(folder).notes[0].startswith(f"layout {layout}: {len(channels)} ")


def test_without_guid_it_is_imagexpress(write: Callable[..., Path]) -> None:
    found = index(write(*(f"B02_s1_w{channel}.tif" for channel in (1, 2, 4, 10))))
    assert found.notes[0].startswith("layout imagexpress: 4 of 4 images are named like ImageXpress")
    assert found.channels == ("1", "2", "4", "10")


def test_projection_of_the_microscope_is_plane_0(tmp_path: Path) -> None:
    shots = shoot(planes=3)
    microscopes.imagexpress(tmp_path, shots)
    for path in list((tmp_path / "P1" / "TimePoint_1" / "ZStep_2").iterdir()):
        made = path.parent.parent / path.name
        tifffile.imwrite(made, np.full(microscopes.SHAPE, 65_535, np.uint16))
    found = index(tmp_path, z="max")
    assert "65535" not in str(read_field(found.fields.iloc[0]).max())
    assert (read_field(index(tmp_path, z=0).fields.iloc[0]) == 65_535).all()


def test_later_time_points_are_left_out(tmp_path: Path) -> None:
    shots = shoot()
    microscopes.imagexpress(tmp_path, shots)
    later = tmp_path / "P1" / "TimePoint_2"
    later.mkdir()
    for path in list((tmp_path / "P1" / "TimePoint_1").iterdir()):
        (later / path.name).write_bytes(path.read_bytes())
    found = index(tmp_path)
    assert (
        found.notes[-1] == "8 images of 1 later time point are left out: time lapse is out of scope"
    )
    _check(found, shots, _flat)


def test_a_channel_without_a_first_time_point_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fluorescence may be taken at the end of a lapse only; there is one plate, so that none differs."""
    microscopes.imagexpress(tmp_path, shoot())
    later = tmp_path / "P1" / "TimePoint_2"
    later.mkdir()
    for path in (tmp_path / "P1" / "TimePoint_1").glob("*_w2*"):
        path.rename(later / path.name)
    found = index(tmp_path)
    assert found.fields.empty
    assert found.notes[-1].startswith("no first time point has channel 2: leave it out by naming")
    assert "no field has all channels" in caplog.text
    assert "plates name them differently" not in caplog.text
    assert len(index(tmp_path, channels={"1": "DNA"}).fields) == 4


def test_a_plate_without_a_complete_field_is_told(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    names = ["P1/a_B02_s1_w1.tif", "P1/a_B02_s1_w2.tif", "P1/a_B03_s1_w1.tif"]
    assert len(index(write(*names)).fields) == 1
    assert "not one field" not in caplog.text
    found = index(write(*names, "P2/a_B02_s1_w1.tif", "P3/a_B02_s1_w1.tif"))
    assert len(found.fields) == 1
    assert (
        "not one field of plate P2 and 1 more plate is complete, such as one that lacks 2: leave channels out"
        in caplog.text
    )


HTD = '"HTSInfoFile", Version 1.0\r\n"Description", "M\u00fcller"\r\n"NWavelengths", 2\r\n'


def _htd(folder: Path, *names: str) -> None:
    waves = "".join(f'"WaveName{n}", "{name}"\r\n' for n, name in enumerate(names, start=1))
    folder.mkdir(exist_ok=True)
    (folder / "screen.HTD").write_bytes(f'{HTD}{waves}"EndFile"\r\n'.encode("cp1252"))


def test_htd_names_the_channels_of_imagexpress(tmp_path: Path) -> None:
    microscopes.imagexpress(tmp_path, shoot())
    _htd(tmp_path / "P1", "1. BLUE penta", "FITC/GFP", "not taken")
    assert index(tmp_path).channels == ("1. BLUE penta", "FITC-GFP")
    found = index(tmp_path, channels={"2": "GFP", "1. BLUE penta": "DNA"})  # by number still
    assert found.channels == ("GFP", "DNA")
    _check(index(tmp_path, channels={"1": "DAPI", "2": "GFP"}), shoot(), _flat)


@pytest.mark.parametrize(
    ("here", "there", "why"),
    [
        (("DAPI", "FITC"), ("DAPI", "Cy5"), "name them differently"),
        (("DAPI", "FITC"), ("DAPI", ""), "name them differently"),  # no other stain
        (("DAPI", ""), ("DAPI", ""), "does not name all of them"),
        (("DAPI", "DAPI"), ("DAPI", "DAPI"), r"do not tell them apart (DAPI, DAPI)"),
        (("2", "1"), ("2", "1"), r"do not tell them apart (2, 1)"),
    ],
)
def test_channels_keep_their_numbers_where_names_are_no_help(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    here: tuple[str, str],
    there: tuple[str, str],
    why: str,
) -> None:
    microscopes.imagexpress(tmp_path, shoot())
    _htd(tmp_path / "P1", *here)
    _htd(tmp_path / "P2", *there)
    found = index(tmp_path)
    assert found.channels == ("1", "2")
    assert next(note for note in found.notes if note.startswith("channels keep")).endswith(why)
    told = "calls the channels DAPI and FITC, and P2/screen.HTD DAPI and Cy5: one number may be another stain"
    assert [told in caplog.text, "another stain" in caplog.text] == 2 * [there[1] == "Cy5"]


def test_an_htd_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    microscopes.imagexpress(tmp_path, shoot())
    (tmp_path / "P1" / "screen.HTD").symlink_to("nowhere.HTD")
    with pytest.raises(PlateError, match=r"screen\.HTD cannot be read: No such file"):
        index(tmp_path)


def test_guids_of_imagexpress_in_brackets(write: Callable[..., Path]) -> None:
    guid = "[0123ABCD-0123-4567-89AB-0123456789AB]"
    folder = write(f"p_A01_s1_w1_{guid}.tif", f"p_A01_s2_w1_{guid}.tif")
    assert index(folder, layout="imagexpress").fields["Metadata_Site"].tolist() == ["1", "2"]


# Opera Phenix


def test_names_of_a_newer_harmony(write: Callable[..., Path]) -> None:
    channels = [f"r02c03f01p01-ch0{n}" for n in (1, 2)]
    found = index(write(*(f"{name}t0{t}.tiff" for name in channels for t in (1, 2))))
    assert (found.channels, found.notes[0].split(":")[0]) == (("1", "2"), "layout phenix")
    assert found.fields["Metadata_Well"].tolist() == ["B03"]
    assert "2 images of 1 later time point" in found.notes[-1]


@pytest.mark.parametrize(("pixels", "said"), [(100, True), (80, False)])
def test_fields_that_overlap_are_said(tmp_path: Path, pixels: int, said: bool) -> None:
    """Sites are 100 µm apart: fields of 125 µm have a fifth in common, those of 100 µm their edge."""
    path = microscopes.phenix_xml(tmp_path, shoot())
    sides = "".join(
        f'<ImageSize{axis}>{pixels}</ImageSize{axis}><ImageResolution{axis} Unit="m">1.25E-06</ImageResolution{axis}>'
        for axis in "XY"
    )
    path.write_text(path.read_text("utf-8-sig").replace("<FlimID>", f"{sides}<FlimID>"))
    notes = [note for note in index(tmp_path).notes if "fields of a well overlap, by" in note]
    assert len(notes) == said
    assert all("by 20% of their area" in note for note in notes)


def test_index_xml_gives_names_and_positions(tmp_path: Path) -> None:
    microscopes.phenix_xml(tmp_path, shoot())
    found = index(tmp_path, channels={"2": "actin", "1": "DNA"})
    assert found.channels == ("actin", "DNA")
    assert found.fields["Metadata_Position_X"].tolist() == [100.0, 200.0] * 2
    assert set(found.fields["Metadata_Position_Y"]) == {-25.0}


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_truncated_index_falls_back_on_names_and_says_so(tmp_path: Path, share: float) -> None:
    shots = shoot()
    path = microscopes.phenix_xml(tmp_path, shots)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    found = index(tmp_path, plate="P1")
    assert found.channels == ("1", "2")
    assert any("Index.xml is truncated or damaged" in note for note in found.notes)
    _check(found, shots, _flat)


def test_truncated_index_without_names_is_an_error(tmp_path: Path) -> None:
    path = microscopes.phenix_xml(tmp_path, shoot())
    for number, image in enumerate(sorted(path.parent.glob("*.tiff"))):
        image.rename(image.with_name(f"{number}.tiff"))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(PlateError, match=r"Index\.xml is truncated.*export the plate again"):
        index(tmp_path)


def test_index_that_lists_more_than_is_there(tmp_path: Path) -> None:
    path = microscopes.phenix_xml(tmp_path, shoot())
    for image in path.parent.glob("r03c11f02*"):
        image.unlink()
    found = index(tmp_path)
    assert (found.absent, len(found.fields)) == (1, 3)
    for image in path.parent.glob("*.tiff"):
        image.unlink()
    with pytest.raises(PlateError, match=r"none of the 8 images that .*Index\.xml lists is in"):
        index(tmp_path)


# Yokogawa


def test_wells_of_cq1_are_counted_along_the_rows(tmp_path: Path) -> None:
    microscopes.cq1(tmp_path, shoot(wells=("A02", "C03")), columns=24)
    found = index(tmp_path)
    assert any("of a 96-well plate: there is no .mrf" in note for note in found.notes)
    assert set(found.fields["Metadata_Well"]) == {"A02", "E03"}
    microscopes.cq1_detail(tmp_path, columns=24)
    found = index(tmp_path)
    assert set(found.fields["Metadata_Well"]) == {"A02", "C03"}
    assert len(found.notes) == 1


def test_planes_and_projections_of_cq1_are_one_plate(tmp_path: Path) -> None:
    shots = shoot(planes=3)
    microscopes.cq1(tmp_path, shots)
    measured = (tmp_path / "P1").rename(tmp_path / "Image")
    plate = tmp_path / "P1"
    for folder in ("Image", "Projection"):
        (plate / folder).mkdir(parents=True)
    for path in list(measured.iterdir()):
        path.rename(plate / "Image" / path.name)
        made = plate / "Projection" / path.name.replace("Z003", "Z000")
        if "Z000" in made.name:
            tifffile.imwrite(made, np.full(microscopes.SHAPE, 65_535, np.uint16))
    _check(index(tmp_path, z="middle"), shots, PROJECTIONS["middle"])
    assert (read_field(index(plate, z=0).fields.iloc[0]) == 65_535).all()


def test_errors_of_the_microscope_are_named(tmp_path: Path) -> None:
    microscopes.yokogawa_mlf(tmp_path, shoot())
    assert any(
        note == "the .mlf has 1 error of the microscope: A01 (focus)"
        for note in index(tmp_path).notes
    )


@pytest.mark.parametrize("listed", [True, False])
def test_images_that_the_microscope_corrects_with_are_no_problem(
    tmp_path: Path, listed: bool
) -> None:
    (microscopes.yokogawa_mlf if listed else microscopes.cellvoyager)(tmp_path, shoot())
    for name in ("DC_sCMOS #1_CAM1.tif", "SC_BP445-45_40xA_CAM1.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    found = index(tmp_path)
    assert found.problems.empty
    assert "2 images that the microscope corrects with (DC_, SC_) left out" in found.notes


def _mes(folder: Path, name: str, *channels: str) -> Path:
    path = folder / "P1" / name
    listed = "".join(f'<bts:Channel bts:Ch="{n}" {c}/>' for n, c in enumerate(channels, start=1))
    path.write_text(
        '<bts:MeasurementSetting xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0">'
        f"<bts:ChannelList>{listed}</bts:ChannelList></bts:MeasurementSetting>"
    )
    return path


@pytest.mark.parametrize("listed", [True, False])
def test_mes_names_the_channels_of_yokogawa(tmp_path: Path, listed: bool) -> None:
    (microscopes.yokogawa_mlf if listed else microscopes.cellvoyager)(tmp_path, shoot())
    path = _mes(
        tmp_path,
        "screen.mes",
        'bts:Target="405" bts:Fluorophore="Hoechst"',
        'bts:Target="488" bts:Fluorophore=""',
        'bts:Target="BF"',
    )
    assert index(tmp_path).channels == ("Hoechst", "488")
    _mes(tmp_path, "other.mes", 'bts:Target="x"', 'bts:Target="y"')
    assert index(tmp_path).channels == ("1", "2")  # which one was used is not known
    (tmp_path / "P1" / "MeasurementDetail.mrf").write_text(
        '<bts:MeasurementDetail xmlns:bts="x" bts:MeasurementSettingFileName="Screen.mes"/>'
    )
    assert index(tmp_path, channels={"2": "ER", "1": "DNA"}).channels == ("ER", "DNA")
    assert index(tmp_path).channels == ("Hoechst", "488")
    path.write_text(path.read_text()[:-40])
    found = index(tmp_path)
    assert found.channels == ("1", "2")
    assert any("screen.mes is truncated or damaged" in note for note in found.notes)


def test_damaged_list_falls_back_on_names(tmp_path: Path) -> None:
    shots = shoot()
    path = microscopes.yokogawa_mlf(tmp_path, shots)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(PlateError, match=r"MeasurementData\.mlf is truncated or damaged"):
        index(tmp_path)
    for image in (tmp_path / "P1").glob("*.tif"):
        image.unlink()
    microscopes.cellvoyager(tmp_path, shots)
    found = index(tmp_path)
    assert any("everything is read from the files' names" in note for note in found.notes)
    _check(found, shots, _flat)


@pytest.mark.parametrize(
    ("pattern", "name", "cut"),
    [
        (r"(?P<well>[A-P]\d\d)_(?P<channel>\d)\.tif", "AA01_1.tif", "'A01'.*'AA01'"),
        (r"(?P<well>[A-P]\d).*_(?P<channel>\d)\.tif", "A12_1.tif", "'A1'.*'A12'"),
        (r"(?P<row>[A-P])(?P<column>\d\d)_(?P<channel>\d)\.tif", "AF03_1.tif", "'F'.*'AF'"),
        (r"(?P<row>[A-P])(?P<column>\d).*_(?P<channel>\d)\.tif", "B12_1.tif", "'1'.*'12'"),
    ],
)
def test_a_pattern_that_cuts_wells_short(tmp_path: Path, pattern: str, name: str, cut: str) -> None:
    tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    with pytest.raises(PlateError, match=f"{cut}.*match the whole"):
        index(tmp_path, pattern=pattern)


@pytest.mark.parametrize(
    ("pattern", "name", "well"),
    [
        (r"(?P<well>[A-P]\d\d)(?P<site>\d\d)(?P<channel>\d)\.tif", "B02031.tif", "B02"),
        (r"(?P<row>\d\d)(?P<column>\d\d)_(?P<channel>\d)\.tif", "0203_1.tif", "B03"),
        (r"(?P<plate>[A-Z])(?P<well>[A-P]\d)_(?P<channel>\d)\.tif", "AB2_1.tif", "B02"),
        (r"(?P<well>[A-P]\d\d)_(?P<channel>\d)\.tif", "dataA01_1.tif", "A01"),
    ],
)
def test_wells_beside_other_letters_and_digits(
    tmp_path: Path, pattern: str, name: str, well: str
) -> None:
    tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    assert index(tmp_path, pattern=pattern).fields["Metadata_Well"].tolist() == [well]


def test_a_bare_number_behind_the_well_of_an_ome_tiff_is_the_site(tmp_path: Path) -> None:
    names = ("B02_1.ome.tif", "B02_2.ome.tif", "run7_B03-004.ome.tif")
    for name in names:
        planes = np.zeros((2, 8, 8), np.uint16)
        tifffile.imwrite(tmp_path / name, planes, metadata={"axes": "CYX"})
    fields = index(tmp_path).fields
    places = fields[["Metadata_Well", "Metadata_Site"]].to_numpy().tolist()
    assert places == [["B02", "1"], ["B02", "2"], ["B03", "4"]]


def test_an_index_without_a_complete_field_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("B02_1_w1.tif", "B02_2_w1.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint16))
    assert index(tmp_path, pattern=r"(?P<well>B\d\d)_\d_w(?P<channel>\d)").fields.empty
    assert "not one field is complete" in caplog.text
    assert "what else tells them apart" in caplog.text


# InCell


@pytest.mark.parametrize(
    "name",
    [
        "B - 2(fld {site} wv {wave} time {time} - {ms} ms z {plane}).tif",
        "B - 02(fld 0{site} wv {wave} z {plane}- time {time} - {ms} ms).tif",
        "B - 002(fld {site} wv {wave} z {plane} - time 0{time} - {ms} ms).tif",
        "B - 02(fld {site} wv {wave} wix 2 z {plane} time {time}).tif",
        "a_B - 02(fld {site} wv {wave} z {plane} time {time}).tif",
    ],
)
def test_planes_and_times_of_incell_in_any_order(write: Callable[..., Path], name: str) -> None:
    every = product((1, 2), ("UV - DAPI", "Blue - FITC"), (1, 2), (1, 2))
    folder = write(
        *(
            name.format(site=site, wave=wave, plane=plane, time=time, ms=600 * (time - 1))
            for site, wave, plane, time in every
        )
    )
    found = index(folder, z=2)
    assert found.channels == ("Blue - FITC", "UV - DAPI")
    assert (len(found.fields), found.problems.empty) == (2, True)
    assert set(found.fields["Metadata_Well"]) == {"B02"}
    assert "8 images of 1 later time point" in found.notes[-1]


def test_incell_without_waves_and_with_plates_in_the_names(write: Callable[..., Path]) -> None:
    names = ("P1_H - 12(fld 1 z 1- time 1 - 0 ms).tif", "P_2_H - 12(fld 1- time 1 - 84 ms).tif")
    found = index(write(*names))
    assert found.channels == ("1",)
    assert found.fields["Metadata_Plate"].tolist() == ["P1", "P_2"]
