from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellssl.errors import PlateError
from cellssl.plates import index, read_field

Write = Callable[..., Path]
GUID = "1648EE446-12C2-4D22-B14B-6EC688B0744A"[1:]
HEADER = (
    "TableNumber,ImageNumber,Image_FileName_DAPI,Image_PathName_DAPI,Image_FileName_Tubulin,"
    "Image_PathName_Tubulin,Image_FileName_Actin,Image_PathName_Actin,Image_Metadata_Plate_DAPI,"
    "Image_Metadata_Well_DAPI,Replicate,Image_Metadata_Compound,Image_Metadata_Concentration\n"
)


def _names(stem: str) -> list[str]:
    return [f"{stem}_w{channel}{GUID}.tif" for channel in (1, 2, 4)]


def _listed(stem: str, compound: str, concentration: str) -> str:
    dapi, tubulin, actin = _names(stem)
    where = "Week3/Week3_25421"
    return (
        f"1,1,{dapi},{where},{tubulin},{where},{actin},{where},Week3_25421,"
        f"{stem[:3]},1,{compound},{concentration}\n"
    )


def _published(write: Write, *, flat: bool = True) -> Path:
    prefix = "" if flat else "Week3/Week3_25421/"
    folder = write(
        *(prefix + name for stem in ("C05_s1", "C05_s2", "D02_s1") for name in _names(stem))
    )
    rows = [
        _listed("C05_s1", "taxol", "0.30"),
        _listed("C05_s2", "taxol", "0.30"),
        _listed("D02_s1", "DMSO", "0"),
        _listed("E02_s1", "PP-2", "3"),
    ]
    (folder / "BBBC021_v1_image.csv").write_text(HEADER + "".join(rows))
    moa = "compound,concentration,moa\rtaxol,0.3,Microtubule stabilizers\rDMSO,0,DMSO\r"
    (folder / "BBBC021_v1_moa.csv").write_text(moa, newline="")
    return folder


@pytest.mark.parametrize("flat", [True, False])
def test_published_tables_are_joined(write: Write, *, flat: bool) -> None:
    found = index(_published(write, flat=flat))
    fields = found.fields
    assert found.channels == ("DAPI", "Tubulin", "Actin")
    assert set(fields["Metadata_Plate"]) == {"Week3_25421"}
    assert set(fields["Metadata_Batch"]) == {"Week3"}
    assert fields["Metadata_Site"].tolist() == ["1", "2", "1"]
    assert fields["Metadata_Compound"].tolist() == ["taxol", "taxol", "DMSO"]
    assert fields["Metadata_MOA"].tolist() == ["Microtubule stabilizers"] * 2 + ["DMSO"]
    assert fields["Metadata_Control"].tolist() == ["", "", "negative"]
    assert fields["Metadata_Concentration"].tolist() == [0.3, 0.3, 0.0]
    assert found.absent == 1
    assert found.problems.empty


def test_names_alone_suffice(write: Write) -> None:
    folder = write(*(f"Week3/Week3_25421/Week3_150607_{name}" for name in _names("C05_s1")))
    found = index(folder)
    assert found.fields[["Metadata_Plate", "Metadata_Batch", "Metadata_Well"]].iloc[0].tolist() == [
        "Week3_25421",
        "Week3",
        "C05",
    ]
    table = folder.parent / "wells.csv"
    table.write_text("Well,Compound\nC5,taxol\n")
    assert index(folder, metadata=table).fields["Metadata_Compound"].tolist() == ["taxol"]


def test_channels_are_known_by_digit_and_name(write: Write) -> None:
    found = index(_published(write), channels={"4": "F-actin", "DAPI": "DNA"})
    assert found.channels == ("F-actin", "DNA")


def test_unlisted_and_foreign_files_are_reported(write: Write) -> None:
    folder = _published(write)
    write(*_names("F06_s1"), f"F06_s1_w3{GUID}.tif", "overview.tif", f"C05_s1_w1{GUID}_thumb.tif")
    (folder / _names("C05_s2")[1]).unlink()
    write(f"copy/{_names('D02_s1')[0]}")
    found = index(folder)
    assert found.problems["Problem"].value_counts().to_dict() == {
        "no metadata": 3,
        "unmatched": 3,
        "incomplete": 1,
        "duplicate": 1,
    }
    assert found.fields["Metadata_Well"].tolist() == ["C05", "F06"]


def test_bad_tables(write: Write) -> None:
    folder = _published(write)
    table = folder / "BBBC021_v1_image.csv"
    table.write_text(table.read_text() + _listed("D02_s1", "DMSO", "0"))
    with pytest.raises(PlateError, match="more than once"):
        index(folder)
    table.write_text(HEADER + _listed("D02_s1", "DMSO", "none"))
    with pytest.raises(PlateError, match="'none', wanted a number"):
        index(folder)
    table.write_text(HEADER + _listed("D02_s1", "DMSO", "0"))
    (folder / "other_moa.csv").write_text("compound,moa\n")
    with pytest.raises(PlateError, match="Choose one with --moa"):
        index(folder)
    (folder / "other_moa.csv").write_text("compound,moa\nDMSO,DMSO\n")
    with pytest.raises(PlateError, match="wanted compound, concentration, moa"):
        index(folder, moa=folder / "other_moa.csv")


def test_real_fields(data: Path) -> None:
    folder = data / "bbbc021"
    found = index(folder / "fields", metadata=folder / "metadata" / "BBBC021_v1_image.csv.gz")
    assert found.fields["Metadata_Site"].tolist() == ["1", "2"]
    row = found.fields.iloc[0]
    about = ["Plate", "Batch", "Well", "Compound", "MOA", "Control"]
    assert [row[f"Metadata_{name}"] for name in about] == [
        "Week2_24381", "Week2", "B02", "DMSO", "DMSO", "negative",
    ]  # fmt: skip
    assert found.problems[["Metadata_Site", "Problem", "Detail"]].to_numpy().tolist() == [
        ["3", "incomplete", "lacks Actin"]
    ]
    assert found.absent == 13_197
    field = read_field(row, found.channels)
    assert (field.shape, field.dtype) == ((3, 1024, 1280), "uint16")


def test_real_plate_by_pattern(data: Path) -> None:
    folder = data / "sbs_plate"
    found = index(
        folder,
        pattern=r"Channel(?P<channel>[12])-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif",
        metadata=folder / "1049_Metadata.csv",
        channels={"1": "GFP", "2": "DNA"},
        control_column="SBS_Controls",
        negative="-1",
        positive="1",
    )
    assert found.summary() == (
        "96 fields on 1 plate, 2 channels (GFP, DNA); 0 incomplete; 0 absent"
    )
    assert found.problems.empty
    counts = found.fields["Metadata_Control"].value_counts().to_dict()
    assert counts == {"": 72, "negative": 16, "positive": 8}
    field = read_field(found.fields.iloc[0], found.channels)
    assert (field.shape, field.dtype) == ((2, 640, 640), "uint8")


def test_mechanisms_of_another_layout_are_refused(tmp_path):
    for channel in (1, 2):
        tifffile.imwrite(tmp_path / f"B02_w{channel}.tif", np.zeros((4, 4), np.uint8))
    (tmp_path / "moa.csv").write_text("compound,concentration,moa\n")
    with pytest.raises(PlateError, match="column MOA of --metadata"):
        index(
            tmp_path,
            pattern=r"(?P<well>B\d\d)_w(?P<channel>\d)",
            moa=tmp_path / "moa.csv",
        )
