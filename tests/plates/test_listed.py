"""Tables that list images: CellProfiler's LoadData and DeepProfiler's index.csv."""

import time
import unicodedata
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellssl.errors import PlateError
from cellssl.plates import PlateIndex, index, read_field
from cellssl.plates.layouts import Images
from cellssl.plates.layouts.listed import _ImageFinder

from . import microscopes
from .microscopes import shoot

Write = Callable[..., Path]
PATTERN = r"Channel(?P<channel>[12])-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif"


def _table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    "root", ["/cluster/project/pictures", r"D:\screen\pictures", "pictures", "."]
)
def test_tables_of_another_machine_are_understood(tmp_path: Path, root: str) -> None:
    shots = shoot()
    microscopes.cellprofiler(tmp_path, shots, root=root)
    found = index(tmp_path)
    assert len(found.fields) == 4
    assert found.problems.empty
    field = read_field(found.fields.iloc[3], found.channels)
    np.testing.assert_array_equal(field[1], shots[-1].pixels)
    assert set(found.fields["Metadata_Compound"]) == {"x"}


@pytest.mark.parametrize(
    "start",
    ["file:///D:/my%20screen/", "file:/D:/my%20screen/", "file://nas/my%20screen/", "s3://b/"],
)
def test_images_by_their_urls(tmp_path: Path, start: str) -> None:
    """CellProfiler's list of image sets, written under Windows: URLs, pages of one file, no names."""
    pixels = np.arange(4 * 64, dtype=np.uint16).reshape(2, 2, 8, 8)
    rows: list[dict[str, object]] = []
    for well, planes in zip(("B02", "C11"), pixels, strict=True):
        (tmp_path / f"plate ä/{well}").mkdir(parents=True)
        tifffile.imwrite(tmp_path / f"plate ä/{well}/f 1.tif", planes, photometric="minisblack")
        row: dict[str, object] = {"Metadata_Well": well}
        for page, channel in ((1, "OrigDNA"), (0, "OrigActin")):
            row[f"URL_{channel}"] = f"{start}plate%20%C3%A4/{well}/f%201.tif"
            row |= {f"Series_{channel}": 0, f"Frame_{channel}": page}
        rows.append(row)
    table = _table(tmp_path / "load_data.csv", rows)
    found = index(tmp_path)
    assert found.channels == ("OrigDNA", "OrigActin")
    assert found.problems.empty
    for row, planes in zip(found.fields.to_dict("records"), pixels, strict=True):
        np.testing.assert_array_equal(read_field(pd.Series(row), found.channels), planes[::-1])
    pd.DataFrame(rows).assign(Series="second").to_csv(table, index=False)  # of experiments
    assert index(tmp_path).problems.empty
    pd.DataFrame(rows).assign(Series_OrigDNA=1).to_csv(table, index=False)
    with pytest.raises(PlateError, match="Series_OrigDNA has '1'; of files with several series"):
        index(tmp_path)


def test_a_url_on_this_machine_says_just_which_file(tmp_path: Path) -> None:
    table = pd.read_csv(microscopes.cellprofiler(tmp_path / "far", shoot(), root="pictures"))
    for channel in ("DAPI", "GFP"):
        names = table.pop(f"FileName_{channel}")
        del table[f"PathName_{channel}"]
        table[f"URL_{channel}"] = [(tmp_path / "far/pictures" / name).as_uri() for name in names]
    empty = tmp_path / "empty"
    empty.mkdir()
    found = index(empty, metadata=_table(tmp_path / "urls.csv", table.to_dict("records")))
    assert found.fields["Path_GFP"].str.startswith(str(tmp_path / "far" / "pictures")).all()


def test_images_may_lie_elsewhere(tmp_path: Path) -> None:
    table = microscopes.cellprofiler(tmp_path / "data", shoot())
    empty = tmp_path / "empty"
    empty.mkdir()
    found = index(empty, metadata=table)
    assert found.fields["Path_GFP"].str.startswith(str(tmp_path / "data" / "pictures")).all()
    with pytest.raises(PlateError, match="holds no CSV with FileName_<channel>"):
        index(empty, layout="cellprofiler")


def test_a_name_is_not_enough_where_it_is_not_alone(write: Write) -> None:
    folder = write("P1/a.tif", "P2/a.tif", "P2/b.tif")
    rows = [
        {
            "Metadata_Plate": plate,
            "Metadata_Well": well,
            "FileName_D": name,
            "PathName_D": f"/far/{plate}",
        }
        for plate in ("P1", "P2")
        for well, name in (("A1", "a.tif"), ("B1", "b.tif"))
    ]
    _table(folder / "load_data.csv", rows)
    found = index(folder)
    assert found.fields["Metadata_Plate"].tolist() == ["P1", "P2"]
    assert [Path(path).parent.name for path in found.fields["Path_D"]] == ["P1", "P2"]
    assert found.problems["Detail"].tolist() == [
        "P2/b.tif: load_data.csv lists it for 2 images; which one it is cannot be told"
    ]
    assert found.absent == 2


def test_names_that_repeat_on_every_plate_are_found_by_their_folders() -> None:
    """Not in a time that grows with the square of the plates, which of 120 was a quarter of a minute."""
    names = [f"r{well:02}c01f01p01-ch1sk1fk1fl1.tiff" for well in range(100)]
    paths = [f"BR{plate}/Images/{name}" for plate in range(120) for name in names]
    finder = _ImageFinder(Images(Path("screen"), (*paths, "BR0/first.tiff")))
    start = time.process_time()
    found = [
        finder.find(rf"D:\data\{path.replace('/', chr(92))}", [Path("/far")])[0] for path in paths
    ]
    assert time.process_time() - start < 3
    assert found == paths
    for listed, path in (("first.tiff", "BR0/first.tiff"), (f"x/Images/{names[0]}", None)):
        assert finder.find(listed, []) == (path, False)


def test_names_from_systems_that_tell_fewer_letters_apart(tmp_path: Path) -> None:
    """Windows tells no capitals, and a Mac writes umlauts in two characters."""
    pixels = {name: np.full((4, 4), n, np.uint8) for n, name in enumerate(("A01", "B01"), start=1)}
    for well, plane in pixels.items():
        folder = tmp_path / unicodedata.normalize("NFD", "Plätte")
        folder.mkdir(exist_ok=True)
        tifffile.imwrite(folder / unicodedata.normalize("NFD", f"Größe_{well}.tif"), plane)
    rows: list[dict[str, object]] = [
        {"Metadata_Well": well, "PathName": "D:\\Plätte", "FileName_DNA": f"GRÖßE_{well}.TIF"}
        for well in pixels
    ]
    _table(tmp_path / "load_data.csv", rows)
    found = index(tmp_path)
    assert found.fields["Metadata_Well"].tolist() == ["A01", "B01"]
    for number, plane in enumerate(pixels.values()):
        field = read_field(found.fields.iloc[number], found.channels)
        np.testing.assert_array_equal(field[0], plane)


def test_files_that_differ_in_capitals_alone_stay_apart(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for number, name in enumerate(("dna.tif", "DNA.tif")):
        tifffile.imwrite(tmp_path / name, np.full((4, 4), number, np.uint8))
        rows.append({"Metadata_Well": f"A0{number + 1}", "PathName": "/x", "FileName_DNA": name})
    if len([*tmp_path.glob("*.tif")]) < 2:
        pytest.skip("this file system tells no capitals")
    _table(tmp_path / "load_data.csv", rows)
    found = index(tmp_path)
    assert [Path(path).name for path in found.fields["Path_DNA"]] == ["dna.tif", "DNA.tif"]


def test_a_table_of_load_data_in_place_of_its_images_folder(tmp_path: Path) -> None:
    table = _table(
        tmp_path / "load_data.csv", [{"Metadata_Well": "A01", "URL_DNA": "file:///x.tif"}]
    )
    with pytest.raises(
        PlateError, match=r"LoadData: give the folder .* --metadata .*load_data\.csv"
    ):
        PlateIndex.load(table)


def test_a_listed_path_beats_a_name(write: Write) -> None:
    folder = write("P1/a.tif")
    rows = [
        {"Metadata_Plate": plate, "Metadata_Well": "A1", "FileName_D": "a.tif", "PathName_D": plate}
        for plate in ("P1", "P2")
    ]
    _table(folder / "load_data.csv", rows)
    found = index(folder)
    assert found.fields["Metadata_Plate"].tolist() == ["P1"]
    assert found.absent == 1


def test_frames_are_pages(tmp_path: Path) -> None:
    pixels = np.arange(2 * 64, dtype=np.uint16).reshape(2, 8, 8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    row = {"Image_Metadata_Row": 2, "Image_Metadata_Col": 3}
    row |= {"Image_FileName_D": "a.tif", "Image_FileName_G": "a.tif", "PathName": str(tmp_path)}
    _table(tmp_path / "t.csv", [row | {"Image_Frame_D": 1, "Image_Frame_G": 0}])
    found = index(tmp_path)
    assert found.fields["Metadata_Well"].tolist() == ["B03"]
    np.testing.assert_array_equal(read_field(found.fields.iloc[0]), pixels[::-1])
    _table(tmp_path / "t.csv", [row | {"Image_Frame_D": "x", "Image_Frame_G": 0}])
    with pytest.raises(PlateError, match="Image_Frame_D has 'x', wanted a page"):
        index(tmp_path)


def test_illumination_functions_are_no_channel(tmp_path: Path) -> None:
    table = pd.read_csv(microscopes.cellprofiler(tmp_path, shoot()))
    illuminated = table.assign(FileName_IllumDAPI="DAPI.npy", PathName_IllumDAPI="/far")
    illuminated.to_csv(tmp_path / "load_data_with_illum.csv", index=False)
    found = index(tmp_path)
    assert found.channels == ("DAPI", "GFP")
    assert any(
        "IllumDAPI is left out: its 4 files, such as DAPI.npy" in note for note in found.notes
    )
    assert len(found.fields) == 4
    assert found.problems.empty


def test_one_table_per_plate(tmp_path: Path) -> None:
    for plate in ("P1", "P2"):
        path = microscopes.cellprofiler(tmp_path / plate, shoot(), root="pictures")
        pd.read_csv(path).drop(columns="Metadata_Plate").to_csv(path, index=False)
    found = index(tmp_path)
    assert found.fields["Metadata_Plate"].value_counts().to_dict() == {"P1": 4, "P2": 4}
    for row in found.fields.to_dict("records"):
        assert f"/{row['Metadata_Plate']}/" in row["Path_DAPI"]


def test_bad_tables(tmp_path: Path, write: Write) -> None:
    folder = write("a.tif")
    _table(folder / "t.csv", [{"Metadata_Row": 1, "FileName_D": "a.tif"}])
    with pytest.raises(PlateError, match="needs Metadata_Well, or Metadata_Row and"):
        index(folder)
    _table(folder / "t.csv", [{"Metadata_Well": "Z99", "FileName_D": "a.tif"}])
    with pytest.raises(PlateError, match=r"t\.csv, column Metadata_Well: row 'Z' and column '99'"):
        index(folder)
    _table(folder / "t.csv", [{"Metadata_Well": "A1", "FileName_D": "b.tif"}])
    with pytest.raises(PlateError, match=r"none of the images that t\.csv lists.*such as b\.tif"):
        index(folder)
    with pytest.raises(PlateError, match="takes no --pattern"):
        index(folder, layout="cellprofiler", pattern="(?P<well>.)(?P<channel>.)")


def test_other_tables_are_joined(tmp_path: Path) -> None:
    microscopes.cellprofiler(tmp_path, shoot())
    wells = _table(tmp_path / "wells.csv", [{"Well": "B02", "Dose": 3}, {"Well": "C11", "Dose": 0}])
    assert index(tmp_path, metadata=wells).fields["Metadata_Dose"].tolist() == [3, 3, 0, 0]


def test_pictures_in_a_table_of_wells_are_no_channel_of_tiffs(tmp_path: Path) -> None:
    microscopes.imagexpress(tmp_path, shoot())
    rows = [{"Well": well, "Structure": f"{well}.png"} for well in ("B02", "C11")]
    found = index(tmp_path, metadata=_table(tmp_path / "index.csv", rows))
    assert found.notes[0].startswith("layout imagexpress")
    assert found.channels == ("1", "2")


def test_columns_of_deepprofiler_that_are_no_paths_are_metadata(tmp_path: Path) -> None:
    path = microscopes.deepprofiler(tmp_path, shoot())
    table = pd.read_csv(path)
    table["pert_name"] = ["DMSO", "DMSO", "TP53", "TP53"]
    table["plate"], table["concentration"], table["Outlines"] = "other", "0.5", "A01_outlines.jpg"
    table.to_csv(path, index=False)
    fields = index(tmp_path, control_column="pert_name", negative="DMSO").fields
    assert fields["Metadata_pert_name"].tolist() == ["DMSO", "DMSO", "TP53", "TP53"]
    assert fields["Metadata_Control"].tolist() == ["negative", "negative", "", ""]
    assert fields["Metadata_Concentration"].tolist() == [0.5] * 4
    assert set(fields["Metadata_Plate"]) == {"P1"}
    assert not fields.columns.str.contains("Outlines").any()


def test_a_saved_index_is_no_table_of_deepprofiler(tmp_path: Path) -> None:
    microscopes.phenix(tmp_path, shoot())
    index(tmp_path).save(tmp_path / "index.csv")
    assert index(tmp_path).notes[0].startswith("layout phenix")


def _load_data(found: PlateIndex, path: Path, *, moved: str | None = None) -> Path:
    """Write the LoadData table of an index; with `moved`, as another machine would have it."""
    table = found.fields.drop(columns=found.fields.filter(like="Path_").columns)
    for channel in found.channels:
        paths = [Path(value) for value in found.fields[f"Path_{channel}"]]
        table[f"FileName_{channel}"] = [value.name for value in paths]
        folders = [str(moved or value.parent) for value in paths]
        table[f"PathName_{channel}"] = folders
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("moved", [None, str(PureWindowsPath("E:/screens/raw"))])
def test_real_plates_through_load_data(data: Path, tmp_path: Path, moved: str | None) -> None:
    own = {
        "sbs_plate": index(data / "sbs_plate", pattern=PATTERN, channels={"1": "GFP", "2": "DNA"}),
        "bbbc021/fields": index(
            data / "bbbc021/fields",
            metadata=data / "bbbc021/metadata/BBBC021_v1_image.csv.gz",
        ),
    }
    for folder, expected in own.items():
        table = _load_data(expected, tmp_path / "load_data.csv", moved=moved)
        found = index(data / folder, layout="cellprofiler", metadata=table)
        columns = list(expected.fields.columns)
        pd.testing.assert_frame_equal(found.fields[columns], expected.fields)
        assert found.channels == expected.channels
        for ours, theirs in zip(
            found.fields.to_dict("records"), expected.fields.to_dict("records"), strict=True
        ):
            np.testing.assert_array_equal(
                read_field(ours, found.channels), read_field(theirs, expected.channels)
            )
