import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from cellssl.errors import PlateError
from cellssl.plates import PlateIndex, index, read_field

Write = Callable[..., Path]
PATTERN = r"(?P<well>[A-Za-z]+\d+)_s(?P<site>\d+)_w(?P<channel>\d)\.tif"


def _plate(write: Write, wells: tuple[str, ...] = ("A1", "B2")) -> Path:
    return write(*(f"{well}_s1_w{channel}.tif" for well in wells for channel in (1, 2)))


def test_pattern_finds_fields_in_order(write: Write) -> None:
    folder = write(
        *(f"{w}_s{s}_w{c}.tif" for w in ("aa1", "b10", "B2") for s in (10, 9) for c in "12")
    )
    found = index(folder, pattern=PATTERN)
    keys = found.fields[["Metadata_Well", "Metadata_Site"]].to_numpy().tolist()
    assert keys == [[w, s] for w in ("B02", "B10", "AA01") for s in ("9", "10")]
    assert set(found.fields["Metadata_Plate"]) == {"plate"}
    assert found.channels == ("1", "2")
    assert found.problems.empty
    assert found.absent == 0
    assert read_field(found.fields.iloc[0], found.channels).shape == (2, 8, 8)
    assert Path(found.fields["Path_1"].iloc[0]).is_absolute()


def test_plate_row_column_and_other_groups(write: Write) -> None:
    folder = write("exp1/p7/r02c03-ch1.tiff", "exp1/p8/r02c03-ch1.TIF")
    pattern = r"(?P<batch>\w+)/(?P<plate>\w+)/r(?P<row>\d+)c(?P<column>\d+)-ch(?P<channel>\d)"
    fields = index(folder, pattern=pattern).fields
    assert fields["Metadata_Plate"].tolist() == ["p7", "p8"]
    assert fields["Metadata_Well"].tolist() == ["B03", "B03"]
    assert fields["Metadata_Batch"].tolist() == ["exp1", "exp1"]


def test_plate_may_be_named(write: Write) -> None:
    found = index(_plate(write), pattern=PATTERN, plate="1049")
    assert set(found.fields["Metadata_Plate"]) == {"1049"}


def test_many_images_are_told_before_they_are_sorted(
    write: Write, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellssl.plates.indexing._MANY", 3)
    caplog.set_level("INFO")
    index(_plate(write), pattern=PATTERN)
    assert caplog.messages[0] == "4 images found; sorting them into fields"


def test_channels_are_renamed_ordered_and_chosen(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _plate(write)
    found = index(folder, pattern=PATTERN, channels={"2": "DNA", "1": "GFP"})
    assert found.channels == ("DNA", "GFP")
    assert [name for name in found.fields if name.startswith("Path_")] == ["Path_DNA", "Path_GFP"]
    assert found.fields["Path_DNA"].str.endswith("w2.tif").all()
    assert index(folder, pattern=PATTERN, channels={"2": "DNA"}).channels == ("DNA",)
    assert "channels left out because --channel does not name them: 1" in caplog.messages


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ({"3": "DNA"}, "no channel '3' to rename; the files have 1, 2"),
        ({"1": "DNA/RNA"}, "'DNA/RNA' cannot name a channel"),
        ({"1": "DNA", "2": "DNA"}, "'DNA' cannot name a channel"),
        ({"1": " "}, "'' cannot name a channel"),
        (["DNA", "GFP"], r"channels: got \['DNA', 'GFP'\], wanted .* such as \{'1': 'DNA'\}"),
    ],
)
def test_bad_channel_names(write: Write, channels: Any, message: str) -> None:
    with pytest.raises(PlateError, match=message):
        index(_plate(write), pattern=PATTERN, channels=channels)


def test_pattern_that_matches_nothing_shows_names(write: Write) -> None:
    with pytest.raises(PlateError) as caught:
        index(_plate(write), pattern=r"(?P<well>X\d)(?P<channel>y)")
    message = str(caught.value)
    for shown in (r"(?P<well>X\d)(?P<channel>y)", "A1_s1_w1.tif", "A1_s1_w2.tif", "B2_s1_w1.tif"):
        assert shown in message
    assert "B2_s1_w2.tif" not in message
    assert "say no well, as A01 or by row and column, want a table of your own" in message


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(?P<well>[A-H]\d)", "lacks the named group channel; it has well"),
        (r"(?P<channel>\d)", r"lacks the named group well \(or row and column\); it has channel"),
        (r"(?P<row>.)(?P<channel>\d)", r"well \(or row and column\)"),
        (r"\d+", r"channel and well \(or row and column\); it has none"),
        (r"(?P<well>[A-H", "is not a regular expression"),
    ],
)
def test_unusable_patterns(write: Write, pattern: str, message: str) -> None:
    with pytest.raises(PlateError, match=message):
        index(_plate(write), pattern=pattern)


@pytest.mark.parametrize("layout", ["auto", "ome-tiff"])
def test_wells_that_are_counted_from_0_are_refused(tmp_path: Path, layout: str) -> None:
    """U01 V01 of Leica's names is B02, and would be A01."""
    for well in ("U00--V01", "U01--V01"):
        file = tmp_path / f"image--{well}--C00.ome.tif"
        tifffile.imwrite(file, np.zeros((1, 8, 8), np.uint16), ome=True, metadata={"axes": "CYX"})
    with pytest.raises(PlateError, match="row '01' and column '00': where names count from 0"):
        index(
            tmp_path, layout=layout, pattern=r"U(?P<column>\d+)--V(?P<row>\d+)--C(?P<channel>\d+)"
        )


def test_files_that_do_not_match_are_reported(write: Write) -> None:
    folder = _plate(write)
    write("thumbnail.tif", "ZZ9_s1_w1.tif", "._A1_s1_w1.tif")
    (folder / "notes.txt").write_text("no image")
    problems = index(folder, pattern=PATTERN).problems
    assert problems["Problem"].tolist() == ["unmatched", "unmatched"]
    assert problems["Detail"].str.startswith(("ZZ9_s1_w1.tif", "thumbnail.tif")).all()


def test_missing_channel_is_incomplete(write: Write) -> None:
    folder = _plate(write)
    (folder / "B2_s1_w2.tif").unlink()
    found = index(folder, pattern=PATTERN, channels={"1": "GFP", "2": "DNA"})
    assert found.fields["Metadata_Well"].tolist() == ["A01"]
    assert found.problems.to_numpy().tolist() == [["plate", "B02", "1", "incomplete", "lacks DNA"]]
    assert found.summary() == ("1 field on 1 plate, 2 channels (GFP, DNA); 1 incomplete; 0 absent")


def test_two_files_for_one_channel_are_a_duplicate(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _plate(write)
    write("copy/A1_s1_w2.tif")
    found = index(folder, pattern=PATTERN)
    assert found.fields["Metadata_Well"].tolist() == ["B02"]
    row = found.problems.iloc[0]
    assert row["Problem"] == "duplicate"
    assert row["Detail"] == "2: A1_s1_w2.tif, copy/A1_s1_w2.tif"
    assert "1 duplicate" in found.summary()
    assert "1 field is left out: several images have one plate, well, site and" in caplog.text
    assert "(of a table that lists images, in a column Metadata_Site)" in caplog.text


@pytest.mark.parametrize(
    ("plates", "channels", "rounds"),
    [
        (("cycle1", "cycle2"), (2, 2), "cycle1 and cycle2"),
        (("cycle1", "cycle2"), (1, 2), "cycle1 and cycle2"),
        (
            ("P1_Round 1_a", "P1_round 2_a", "P2_round 3_a"),
            (1, 1, 1),
            "P1_Round 1_a and P1_round 2_a",
        ),
        (
            tuple(
                f"P{p}__2024-06-1{m}T1{m}_00_00-Measurement {m}"
                for p, m in ((9, 1), (9, 2), (8, 1))
            ),
            (1, 1, 1),
            "P9__2024-06-11T11_00_00-Measurement 1 and P9__2024-06-12T12_00_00-Measurement 2",
        ),
        (("plate1", "plate2"), (1, 1), None),
        (("background1", "background2"), (1, 1), None),
    ],
)
def test_rounds_of_staining_are_no_plates(
    write: Write,
    caplog: pytest.LogCaptureFixture,
    plates: Sequence[str],
    channels: Sequence[int],
    rounds: str | None,
) -> None:
    names = [
        f"{plate}/A01_s{site}_w{channel}.tif"
        for plate, most in zip(plates, channels, strict=True)
        for site in (1, 2)
        for channel in range(1, most + 1)
    ]
    index(write(*names))
    told = [text for text in caplog.messages if "rounds of staining" in text]
    assert [text.split(" have wells")[0] for text in told] == (
        [f"plates {rounds}"] if rounds else []
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("P1/TIFF/A01_s1_w1", "P2/TIFF/B01_s1_w1"), "TIFF is in the folders P1/TIFF and P2/TIFF"),
        (("A01/A01_s1_w1", "A02/A02_s1_w1"), "each of the plates A01 and A02 has the well"),
        (
            ("w1/A01_s1_w1", "w2/A01_s1_w2"),
            "plates w1 and w2 have wells and sites in common: where they are channels",
        ),
        (
            ("DAPI/A01_s1_w1", "GFP/A01_s1_w1"),
            "plates DAPI and GFP have wells and sites in common: where they are ch",
        ),
        (("A01/A01_s1_w1", "P2/A02_s1_w1"), None),
        (("GFP/A01_s1_w1", "P2/A01_s1_w1"), None),
        (("P1/ZStep_1/A01_s1_w1", "P1/ZStep_2/A01_s1_w1"), None),
        (("DNA/P1/A01_s1_w1", "GFP/P1/A01_s1_w2"), None),
    ],
)
def test_folders_that_are_no_plates_are_told(
    write: Write, caplog: pytest.LogCaptureFixture, names: Sequence[str], said: str | None
) -> None:
    index(write(*(f"{name}.tif" for name in names)), z="max")
    told = [text for text in caplog.messages if "where they are" in text]
    assert [(said or "") in text for text in told] == [True] * (said is not None)


def test_channels_that_differ_in_capitals_alone_are_told(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("A01_DAPI", "A01_GFP", "A02_DAPI", "A02_gfp")
    index(write(*(f"{name}.tif" for name in names)), pattern=r"(?P<well>A\d+)_(?P<channel>\w+)\.")
    assert "channels: names that differ in capitals or blanks alone" in caplog.text
    assert "GFP and gfp" in caplog.text


def test_plates_that_hold_the_images_of_another_are_told(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """A copy, and thumbnails below: each cell would find itself on another plate. P4 is one of its own."""
    random = np.random.default_rng(0)
    names = [f"A01_s{site}_w1.tif" for site in (1, 2)]
    folder = write(*(f"{plate}/{n}" for plate in ("P1", "P2", "P1/thumbs", "P3/P4") for n in names))
    write("P3/B07_s1_w1.tif")
    for name in names:
        pixels = random.integers(0, 999, (3, 40, 40)).astype(np.uint16)
        for plate, image in (("P1", pixels[0]), ("P2", pixels[0]), ("P3/P4", pixels[1])):
            tifffile.imwrite(folder / plate / name, image)
    assert index(folder).fields["Metadata_Plate"].nunique() == 5
    told = [
        record.getMessage() for record in caplog.records if "count twice" in record.getMessage()
    ]
    assert len(told) == 2
    assert told[0].startswith("plates P1 and P2 begin with the same image")
    assert told[1].startswith("plate thumbs lies in the folder of plate P1 and has wells and sites")
    for plate in ("P1", "P2"):  # black, not copied
        black = np.zeros((512, 512), np.uint16)
        tifffile.imwrite(folder / plate / names[0], black, compression="lzw")
    caplog.clear()
    index(folder)
    assert "begin with the same image" not in caplog.text


def test_nothing_complete_is_no_exception(write: Write) -> None:
    found = index(write("A1_s1_w1.tif", "B1_s1_w2.tif"), pattern=PATTERN)
    assert len(found.fields) == 0
    assert len(found.problems) == 2


def test_plates_with_other_channel_names_are_told_apart(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{plate}/A1_s1_w{channel}.tif" for plate, channel in ("P1", "P2", "Q3", "Q4")]
    pattern = r"(?P<plate>\w)/(?P<well>\w+)_s(?P<site>\d)_w(?P<channel>\d)"
    index(write(*names), pattern=pattern)
    assert (
        "are channels of one plate, name it with --plate-name; where plates name channels differently, index each"
        in caplog.text
    )


def test_a_plate_that_was_taken_twice_wants_two_names(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    index(write("one/A1_s1_w1.tif", "two/A1_s1_w1.tif"), pattern=PATTERN)
    assert "where a plate was taken twice, index each folder by itself with a" in caplog.text


def test_unknown_names_explain_the_pattern(write: Write) -> None:
    with pytest.raises(PlateError, match="--pattern") as caught:
        index(write("image one.tif"))
    assert "image one.tif" in str(caught.value)
    assert "(?P<well>" in str(caught.value)


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(PlateError, match="holds no TIFF or PNG files"):
        index(tmp_path)
    with pytest.raises(PlateError, match="is not a folder"):
        index(tmp_path / "nowhere")


@pytest.mark.parametrize(("name", "mend"), [("B02.JPG", "convert"), ("B02.tif.gz", "unpack")])
@pytest.mark.parametrize("options", [{}, {"pattern": PATTERN}, {"layout": "imagexpress"}])
def test_images_of_other_kinds_are_named(
    tmp_path: Path, name: str, mend: str, options: dict[str, str]
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(PlateError, match=rf"but 1 image such as {name}: {mend} them to TIFF"):
        index(tmp_path, **options)


def test_folders_that_cannot_be_looked_into_are_told(
    write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write("P1/B02_s1_w1.tif", "P2/B02_s1_w1.tif")
    scan = os.scandir

    def guarded(path: str) -> Any:
        if str(path).endswith("P2"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert len(index(folder, pattern=PATTERN).fields) == 1
    assert f"{folder / 'P2'} cannot be looked into (Permission denied)" in caplog.text


def test_pngs_beside_tiffs_are_left_out_and_told(write: Write) -> None:
    folder = _plate(write)
    (folder / "outlines").mkdir()
    (folder / "outlines" / "a.png").touch()
    found = index(folder, pattern=PATTERN)
    assert "1 PNG such as outlines/a.png left out, since there are TIFFs" in found.notes[-1]
    assert not len(found.problems)
    with pytest.raises(PlateError, match=r"image one\.tif[\s\S]*1 PNG such as .* left out"):
        index(write("image one.tif", "B02_s1_w1.png", folder="stray"))


def test_unknown_layout(write: Write) -> None:
    with pytest.raises(PlateError, match="did you mean 'pattern'"):
        index(_plate(write), layout="patern")
    with pytest.raises(PlateError, match="needs --pattern"):
        index(_plate(write), layout="pattern")
    with pytest.raises(PlateError, match="takes no --pattern"):
        index(_plate(write), layout="bbbc021", pattern=PATTERN)
    with pytest.raises(PlateError, match="named like BBBC021"):
        index(_plate(write), layout="bbbc021")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_index_is_saved_whole(write: Write, tmp_path: Path, suffix: str) -> None:
    folder = _plate(write, ("A1", "B2", "C3"))
    (folder / "C3_s1_w2.tif").unlink()
    table = tmp_path / "wells.csv"
    table.write_text("Well,Dose,Lot,Compound\nA1,0.5,007,12\nB2,,008,\nC3,1,009,x\nD4,2,010,x\n")
    found = index(folder, pattern=PATTERN, metadata=table)
    again = PlateIndex.load(found.save(tmp_path / "new" / f"index{suffix}"))
    pd.testing.assert_frame_equal(again.fields, found.fields)
    # Tables of problems are texts, which pandas 3 has a type for when they are read.
    pd.testing.assert_frame_equal(again.problems, found.problems, check_dtype=False)
    assert (again.channels, again.absent) == (found.channels, 1)
    assert again.summary() == found.summary()
    assert (tmp_path / "new" / "index.problems.csv").is_file()


def test_foreign_tables_are_no_index(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Metadata_Plate,x\n1,2\n")
    with pytest.raises(PlateError, match="lacks Metadata_Well, Metadata_Site"):
        PlateIndex.load(tmp_path / "a.csv")
    with pytest.raises(PlateError, match="there is no index"):
        PlateIndex.load(tmp_path / "b.csv")
    with pytest.raises(PlateError, match=r"not 'c\.txt'"):
        PlateIndex.load(tmp_path / "c.txt")
    with pytest.raises(PlateError, match="is a folder: make an index of it first"):
        PlateIndex.load(tmp_path)
    (tmp_path / "d.parquet").write_text("not parquet")
    with pytest.raises(PlateError, match="cannot be read as a table"):
        PlateIndex.load(tmp_path / "d.parquet")
    (tmp_path / "e.csv").write_text(
        "Metadata_Plate,Metadata_Well,Metadata_Site,Path_1\n1,A01,1,x\n"
    )
    assert PlateIndex.load(tmp_path / "e.csv").problems.empty


def test_a_table_of_ones_own_beside_its_images(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = write("a.tif", "b.tif")
    table = folder / "mine.csv"
    table.write_text(
        "Metadata_Plate;Metadata_Well;Metadata_Site;Metadata_Dose;Path_DNA;Path_GFP\n"
        "slides;A01;1;0,5;a.tif;b.tif\nslides;A02;1;1,5;a.tif;\n"
    )
    found = PlateIndex.load(table)
    assert found.fields[["Path_DNA", "Path_GFP"]].to_numpy().tolist() == [
        [str(folder / "a.tif"), str(folder / "b.tif")]
    ]
    assert found.fields["Metadata_Dose"].tolist() == [0.5]
    assert found.problems[["Metadata_Well", "Problem", "Detail"]].to_numpy().tolist() == [
        ["A02", "incomplete", "lacks GFP"]
    ]
    assert "row 2 of the index lacks GFP" in caplog.text


def test_images_beside_the_table_come_before_those_of_the_working_directory(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write("a.tif", "here.tif"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.tif").write_bytes(b"")
    table = other / "mine.csv"
    table.write_text(
        "Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Drug,Metadata_Dose_nM,Path_1\n"
        "p,A01,1,taxol,500,a.tif\np,A02,1,taxol,50,here.tif\n"
    )
    fields = PlateIndex.load(table).fields
    assert fields["Path_1"].tolist() == [str(other / "a.tif"), str(Path.cwd() / "here.tif")]
    assert fields["Metadata_Compound"].tolist() == ["taxol"] * 2
    assert fields["Metadata_Concentration"].tolist() == [0.5, 0.05]


def test_wells_of_a_table_of_ones_own_have_one_spelling(tmp_path: Path) -> None:
    rows = [("a1", "01"), ("A01", "2"), ("slide 3", "x")]
    lines = [f"p,{well},{site},{number}.tif" for number, (well, site) in enumerate(rows)]
    head = "Metadata_Plate,Metadata_Well,Metadata_Site,Path_1"
    (tmp_path / "own.csv").write_text("\n".join([head, *lines]))
    fields = PlateIndex.load(tmp_path / "own.csv").fields
    assert fields["Metadata_Well"].tolist() == ["A01", "A01", "slide 3"]
    assert fields["Metadata_Site"].tolist() == ["1", "2", "x"]


@pytest.mark.parametrize(
    ("shape", "options", "told"),
    [
        ((8, 8, 3), {"photometric": "rgb"}, "(colour); wanted one grey plane"),
        ((4, 8, 8), {"photometric": "minisblack"}, "holds 4 pages; wanted one grey plane"),
    ],
)
def test_images_that_are_no_grey_planes_are_said_before_they_are_cropped(
    write: Write, caplog: pytest.LogCaptureFixture, shape: Any, options: Any, told: str
) -> None:
    folder = _plate(write)
    assert index(folder, pattern=PATTERN).problems.empty
    for name in ("A1_s1_w2.tif", "B2_s1_w2.tif"):
        tifffile.imwrite(folder / name, np.zeros(shape, np.uint8), **options)
    found = index(folder, pattern=PATTERN)
    (problem,) = found.problems.to_dict("records")
    assert (problem["Metadata_Well"], problem["Problem"]) == ("A01", "no grey plane")
    assert problem["Detail"].startswith("2: ")
    assert told in problem["Detail"]
    assert told in caplog.text
    assert len(found.fields) == 2


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (np.zeros((4, 4), np.uint16), "must have one size. Export them with one binning"),
        (np.zeros((8, 8), np.float32), "must have one pixel type"),
    ],
)
def test_channels_that_do_not_go_together_are_said_before_they_are_cropped(
    write: Write, caplog: pytest.LogCaptureFixture, pixels: np.ndarray, told: str
) -> None:
    folder = _plate(write)
    for name in ("A1_s1_w1.tif", "A1_s1_w2.tif"):
        tifffile.imwrite(folder / name, np.zeros((8, 8), np.uint16))
    assert index(folder, pattern=PATTERN).problems.empty
    tifffile.imwrite(folder / "A1_s1_w2.tif", pixels)
    (problem,) = index(folder, pattern=PATTERN).problems.to_dict("records")
    assert (problem["Metadata_Well"], problem["Problem"]) == ("A01", "unlike channels")
    assert told in problem["Detail"]
    assert told in caplog.text


def test_a_colour_png_is_said_and_a_broken_file_is_left_to_the_reading(write: Write) -> None:
    folder = write("notes/x.tif")
    (folder / "notes" / "x.tif").unlink()
    for well in ("A1", "B2"):
        Image.new("RGB", (8, 8)).save(folder / f"{well}_s1_w1.png")
    found = index(folder, pattern=PATTERN.replace("tif", "png"))
    assert "no grey PNG" in found.problems["Detail"].iloc[0]
    (folder / "A1_s1_w1.png").write_bytes(b"")
    assert index(folder, pattern=PATTERN.replace("tif", "png")).problems.empty
