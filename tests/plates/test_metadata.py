import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cellssl.errors import PlateError
from cellssl.plates import PlateIndex, index
from cellssl.plates.spreadsheets import read_spreadsheet
from cellssl.plates.tables import join
from cellssl.treatments import recognise_treatments, say_doubts

Write = Callable[..., Path]
PATTERN = r"(?P<well>[A-H]\d+)\.(?P<channel>\d)\.tif"


def _index(write: Write, text: str, **options: str) -> PlateIndex:
    folder = write("A1.1.tif", "A2.1.tif", "B1.1.tif")
    table = folder.parent / "wells.csv"
    table.write_bytes(text.encode())
    return index(folder, pattern=PATTERN, metadata=table, **options)


@pytest.mark.parametrize(
    "text",
    [
        "Well,Dose\nA1,1\nA2,2\nB1,3\n",
        "Metadata_Well,Metadata_Dose\nA01,1\na02,2\nB01,3\n",
        "Image_Metadata_Well,Dose\r\nA1,1\r\nA2,2\r\nB1,3\r\n",
        "ROW,column,Dose\rA,01,1\rA,2,2\rB,1,3",
        "\ufeffwell, Dose\nA1,1\nA2,2\nB1,3\n",
        "Row,Column,Site,Dose\n1.0,1.0,1.0,1\n1.0,2.0,1.0,2\n2.0,1.0,1.0,3\n",
        "Plate,Site,Well,Dose\nplate,01,A1,1\nplate,1,A2,2\nplate,1,B1,3\n",
        "well_position\tDose\nA01\t1\nA02\t2\nB01\t3\n",
        "Well ID,WellName,Dose\n1,A1,1\n2,A2,2\n3,B1,3\n",
        "Metadata_well_id,Dose\nA1,1\nA2,2\nB1,3\n",
    ],
)
def test_wells_are_joined_however_written(write: Write, text: str) -> None:
    found = _index(write, text)
    assert found.fields["Metadata_Dose"].tolist() == [1, 2, 3]
    assert found.problems.empty
    assert not set(found.fields) & {"Metadata_Row", "Metadata_Column", "Metadata_ROW"}


@pytest.mark.parametrize("names", ["Row,Col", "Well row,Well_col"])
def test_rows_and_columns_by_other_names(write: Write, names: str) -> None:
    fields = _index(write, f"{names},Compound\n1,1,x\n1,2,y\n2,1,z\n").fields
    assert fields["Metadata_Well"].tolist() == ["A01", "A02", "B01"]
    assert fields["Metadata_Compound"].tolist() == ["x", "y", "z"]


def test_a_column_that_seems_to_hold_wells_is_named(write: Write) -> None:
    with pytest.raises(
        PlateError, match=r"It has Position, Dose\. 'Position' seems to hold them: call"
    ):
        _index(write, "Position,Dose\nA1,1\nA2,2\nB1,3\n")
    with pytest.raises(PlateError, match=r"It has Well ID, Dose\.$"):
        _index(write, "Well ID,Dose\n1,1\n2,2\n3,3\n")
    with pytest.raises(
        PlateError, match=r"'Source Well' and 'Destination Well' seem to hold wells"
    ):
        _index(write, "Source Well,Destination Well,Sample Name\nP24,A1,x\nP23,A2,y\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_of_other_countries(write: Write, encoding: str, separator: str) -> None:
    rows = [
        ["Well", "Conc, µM", "Note", "Version"],
        ["A1", "0,5", "für, Müller", "1,5"],
        ["A2", "10", "", "1.5"],
        ["B1", "", "x", "2,0"],
    ]
    folder = write("A1.1.tif", "A2.1.tif", "B1.1.tif")
    table = folder.parent / "wells.csv"
    table.write_bytes("\r\n".join(map(separator.join, rows)).encode(encoding))
    fields = index(folder, pattern=PATTERN, metadata=table).fields
    assert fields["Metadata_Conc, µM"].iloc[:2].tolist() == [0.5, 10]
    assert fields["Metadata_Conc, µM"].isna().tolist() == [False, False, True]
    assert fields["Metadata_Note"].tolist() == ["für, Müller", "", "x"]
    assert fields["Metadata_Version"].tolist() == ["1,5", "1.5", "2,0"]  # what is both is neither


def test_a_comma_among_quotes_is_no_separator(write: Write) -> None:
    fields = _index(write, 'Well,"a;b;c",Dose\nA1,"1,5",1\nA2,"2,5",2\nB1,"3,5",3\n').fields
    assert fields["Metadata_a;b;c"].tolist() == ["1,5", "2,5", "3,5"]
    assert fields["Metadata_Dose"].tolist() == [1, 2, 3]


def test_a_workbook_is_no_table(write: Write) -> None:
    with pytest.raises(PlateError, match=r"wells\.csv is no text .*Save it as CSV"):
        _index(write, "PK\x03\x04\x14\0\x06\0Well")


def test_numbers_names_and_vocabulary(write: Write) -> None:
    text = "Well,dose,compound,MOA,code,mixed\nA1,1,12,x,007,1\nA2,2.5,13,y,008,b\nB1,,14,z,010,3\n"
    fields = _index(write, text).fields
    assert fields["Metadata_dose"].iloc[:2].tolist() == [1, 2.5]
    assert fields["Metadata_dose"].isna().tolist() == [False, False, True]
    assert fields["Metadata_Compound"].tolist() == ["12", "13", "14"]
    assert fields["Metadata_MOA"].tolist() == ["x", "y", "z"]
    assert fields["Metadata_code"].tolist() == ["007", "008", "010"]
    assert fields["Metadata_mixed"].tolist() == ["1", "b", "3"]


def test_treatments_and_doses_by_other_names(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    fields = _index(write, "Well,Treatment,Dose_uM\nA1,DMSO,0\nA2,x,0.5\nB1,x,10\n").fields
    assert fields["Metadata_Treatment"].tolist() == ["DMSO", "x", "x"]
    assert fields["Metadata_Compound"].tolist() == ["DMSO", "x", "x"]
    assert fields["Metadata_Concentration"].tolist() == [0, 0.5, 10]
    assert "Metadata_Compound is taken from Metadata_Treatment" in caplog.text
    assert "wells of DMSO are not marked as negative controls: --negative DMSO" in caplog.text
    for titles in ("Compound NAME,Mechanism_of action", "CompoundName,MechanismOfAction"):
        fields = _index(write, f"Well,{titles},Drug\nA1,a,m,b\nA2,a,m,b\nB1,a,n,b\n").fields
        assert fields["Metadata_Compound"].tolist() == ["a"] * 3
        assert fields["Metadata_MOA"].tolist() == ["m", "m", "n"]
    own = _index(write, "Well,Compound,Drug,Dose,Conc\nA1,a,b,1,2\nA2,a,b,1,2\nB1,a,b,1,2\n").fields
    assert own["Metadata_Compound"].tolist() == ["a"] * 3
    assert "Metadata_Concentration" not in own  # of two nobody says which


@pytest.mark.parametrize(
    ("column", "doses", "micromolar"),
    [
        ("Concentration", ["0", "500 nM", "1000nM"], [0, 0.5, 1]),
        ("Dose", ["0", "500 nM", "1.5 µM"], [0, 0.5, 1.5]),
        ("Conc.", ["2e-3 mM", "0.1 uM", ".5 μM"], [2, 0.1, 0.5]),
        ("Conc (nM)", ["1", "500", "2 µM"], [0.001, 0.5, 2]),
        ("Dose_mM", ["0", "0.1", "1"], [0, 100, 1000]),
        ("Dose", ['"0,5 µM"', '"0,125 µM"', '"12,5 nM"'], [0.5, 0.125, 0.0125]),
    ],
)
def test_doses_with_units_are_in_micromolar(
    write: Write,
    caplog: pytest.LogCaptureFixture,
    column: str,
    doses: list[str],
    micromolar: list[float],
) -> None:
    caplog.set_level("INFO")
    rows = "".join(f"{well},{dose}\n" for well, dose in zip(("A1", "A2", "B1"), doses, strict=True))
    fields = _index(write, f"Well,{column}\n{rows}").fields
    assert fields["Metadata_Concentration"].tolist() == micromolar
    assert set(fields["Metadata_ConcentrationUnit"]) == {"uM"}
    assert "is read in µM" in caplog.text


def test_units_in_a_column_of_their_own_count_once(write: Write, tmp_path: Path) -> None:
    text = "Well,Dose,Dose_unit\nA1,500,nM\nA2,1,uM\nB1,0,\n"
    found = _index(write, text)
    assert found.fields["Metadata_Concentration"].tolist() == [0.5, 1, 0]
    again = PlateIndex.load(found.save(tmp_path / "plate.csv"))
    for read in (found, again):
        assert read.fields["Metadata_Concentration"].tolist() == [0.5, 1, 0]
        assert read.fields["Metadata_ConcentrationUnit"].tolist() == ["uM"] * 3
    bare = _index(write, "Well,Dose\nA1,500\nA2,1\nB1,0\n")
    assert "Metadata_ConcentrationUnit" not in bare.fields


def test_a_column_of_micromolar_leaves_doses_by_other_names_to_be_read(write: Write) -> None:
    fields = _index(write, "Well,Dose,ConcentrationUnit\nA1,0.5,uM\nA2,1,uM\nB1,0,uM\n").fields
    assert fields["Metadata_Concentration"].tolist() == [0.5, 1, 0]
    fields = _index(
        write, "Well,Concentration,ConcentrationUnit\nA1,0.5 uM,uM\nA2,1 uM,uM\nB1,0,uM\n"
    ).fields
    assert fields["Metadata_Concentration"].tolist() == [0.5, 1, 0]
    assert set(fields["Metadata_ConcentrationUnit"]) == {"uM"}


def test_doses_of_a_table_do_not_have_the_unit_of_those_that_they_replace(tmp_path: Path) -> None:
    names = {"Metadata_Plate": "p", "Metadata_Well": "A01", "Metadata_Site": "1"}
    doses = {"Metadata_Concentration": 0.5, "Metadata_ConcentrationUnit": "uM"}
    table = tmp_path / "wells.csv"
    table.write_text("Well,Concentration\nA1,7\n")
    joined, _, _ = join(pd.DataFrame([names | doses]), table)
    assert joined["Metadata_Concentration"].tolist() == [7]
    assert "Metadata_ConcentrationUnit" not in joined


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Well,Concentration\nA1,5 mg/ml\nA2,10\nB1,high\n", "5 mg/ml"),
        ("Well,Concentration\nA1,500 nM\nA2,10\nB1,1 uM\n", "10"),  # 10 of what?
        ('Well,Concentration\nA1,1 nM\nA2,"1,500 nM"\nB1,\n', "1,500 nM"),
        ("Well,Concentration\nA1,5 min\nA2,5 m\nB1,10 m\n", "5 min"),
        ("Well,Concentration,Unit\nA1,500,nM\nA2,10,mg/ml\nB1,1,uM\n", "10 mg/ml"),
    ],
)
def test_doses_that_cannot_be_compared_are_said(
    write: Write, caplog: pytest.LogCaptureFixture, text: str, shown: str
) -> None:
    fields = _index(write, text).fields
    own = [row.split(",")[1] for row in text.splitlines()[1:]]
    if '"' not in text:
        assert fields["Metadata_Concentration"].astype(str).tolist() == own
    why = ", whose comma may part thousands" if "," in shown else ""
    assert f"holds '{shown}'{why}, so that wells cannot be ordered by dose" in caplog.text


def test_doses_in_mass_stay_numbers_of_their_own_unit(write: Write) -> None:
    found = _index(write, "Well,Conc,Unit\nA1,5,mg/ml\nA2,10,mg/ml\nB1,0,mg/ml\n").fields
    assert found["Metadata_Concentration"].tolist() == [5, 10, 0]
    assert found["Metadata_Unit"].tolist() == ["mg/ml"] * 3
    named = _index(write, "Well,Conc (mg/ml)\nA1,5\nA2,10\nB1,0\n").fields
    assert "Metadata_Concentration" not in named


@pytest.mark.parametrize(
    "names",
    [
        ("Taxol 1 µM", "Taxol 10 µM"),
        ("1 nM taxol", "1 µM Taxol"),
        ("IL-2_10ng/ml", "IL-2_100ng/ml"),
        ("Taxol (1 uM) 24 h", "Taxol (3 uM) 24 h"),
    ],
)
def test_a_column_of_treatments_with_doses_makes_no_compounds(
    write: Write, caplog: pytest.LogCaptureFixture, names: tuple[str, str]
) -> None:
    fields = _index(write, f"Well,Treatment\nA1,DMSO 0.1 %\nA2,{names[0]}\nB1,{names[1]}\n").fields
    assert "Metadata_Compound" not in fields
    assert f"names doses too, such as '{names[0]}'" in caplog.text


def test_compounds_that_name_doses_are_said_to_count_as_several(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    fields = _index(write, "Well,Compound\nA1,taxol 10 µM\nA2,taxol 1 µM\nB1,DMSO\n").fields
    assert fields["Metadata_Compound"].iloc[0] == "taxol 10 µM"
    assert "such as 'taxol 10 µM': two doses count as two compounds" in caplog.text
    assert "Write names alone, and doses into a column Concentration" in caplog.text
    caplog.clear()
    _index(write, "Well,Compound\nA1,taxol 10 µM\nA2,noco 1 µM\nB1,IL-2\n")
    assert not caplog.records


def test_treatments_at_one_dose_each_are_compounds(write: Write) -> None:
    single = "Well,Treatment\nA1,DMSO 0.1 %\nA2,siRNA 1\nB1,siRNA 2\n"
    fields = _index(write, single, negative="DMSO 0.1 %").fields
    assert fields["Metadata_Compound"].tolist() == ["DMSO 0.1 %", "siRNA 1", "siRNA 2"]
    assert fields["Metadata_Control"].tolist() == ["negative", "", ""]


@pytest.mark.parametrize(
    ("text", "column", "values"),
    [
        ("Well,Note; with; more\nA1,x\nA2,y\nB1,z\n", "Metadata_Note; with; more", ["x", "y", "z"]),
        ("Well;Conc, µM\nA1;0,5\nA2;1,5\nB1;2,5\n", "Metadata_Conc, µM", [0.5, 1.5, 2.5]),
        ("sep=;\r\nWell;Dose\r\nA1;0,5\r\nA2;1\r\nB1;2\r\n", "Metadata_Dose", [0.5, 1, 2]),
        ("Well\tDose\nA1\t0,5\nA2\t1,500\nB1\t10\n", "Metadata_Dose", [0.5, 1.5, 10]),
    ],
)
def test_columns_are_parted_by_what_parts_all_lines(
    write: Write, text: str, column: str, values: list[object]
) -> None:
    assert _index(write, text).fields[column].tolist() == values


def test_thousands_are_not_taken_for_decimals(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    fields = _index(write, "Well\tDose\nA1\t1,500\nA2\t10,000\nB1\t500\n").fields
    assert fields["Metadata_Dose"].tolist() == ["1,500", "10,000", "500"]
    assert "Metadata_Concentration" not in fields
    assert "column Dose: 1,500 may be thousands or decimals" in caplog.text


def test_points_between_thousands_are_not_taken_for_decimals(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PlateError, match=r"column Dose_nM: 1\.000 seems .* Write 1000, or.* 1\.$"):
        _index(write, "Well;Dose_nM\nA1;1.000\nA2;300\nB1;0\n")
    for doses in ("1.000 nM\nA2;300 nM", "1.000 nM\nA2;0,3 nM"):
        assert "Metadata_Concentration" not in _index(write, f"Well;Dose\nA1;{doses}\n").fields
    assert caplog.text.count("holds '1.000 nM', whose point may part thousands, so that") == 2
    # Written to three decimals, or with one that is no thousand: these are decimals.
    for doses in ("1.000;3.000;0", "1.000;3;0.300", "1.125;3;9"):
        own = doses.split(";")
        rows = "".join(
            f"{well};{dose}\n" for well, dose in zip(("A1", "A2", "B1"), own, strict=True)
        )
        found = _index(write, f"Well;Dose\n{rows}").fields["Metadata_Concentration"]
        assert found.tolist() == [float(dose) for dose in own]


def test_decimal_commas_of_a_column_say_what_the_points_of_doses_are(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    fields = _index(write, "Well;Dose;OD;Age\nA1;1.125;0,5;1.125\nA2;300;1,25;3\nB1;0;2;3\n").fields
    assert fields["Metadata_Concentration"].tolist() == [1125, 300, 0]
    assert fields["Metadata_OD"].tolist() == [0.5, 1.25, 2]
    assert fields["Metadata_Age"].tolist() == [1.125, 3, 3]
    assert "Dose: 1.125 is read as 1125, since commas are decimal ones in column OD" in caplog.text
    fields = _index(write, "Well;Dose;OD\nA1;1.125;0,5\nA2;0.5;1,25\nB1;0;2\n").fields
    assert fields["Metadata_Concentration"].tolist() == [1.125, 0.5, 0]


@pytest.mark.parametrize("mark", [";", ","])
def test_doubtful_points_of_a_column_that_is_no_dose_stay_a_text(
    write: Write, caplog: pytest.LogCaptureFixture, mark: str
) -> None:
    text = "Well;Dose;Cells\nA1;0.5;1.000\nA2;1;300\nB1;2;0\n"
    fields = _index(write, text.replace(";", mark)).fields
    assert fields["Metadata_Concentration"].tolist() == [0.5, 1, 2]
    assert fields["Metadata_Cells"].tolist() == ["1.000", "300", "0"]
    assert caplog.text.count("column Cells: 1.000 may be thousands or decimals") == 1


def test_one_decimal_comma_says_what_all_commas_of_the_doses_are(write: Write) -> None:
    text = "Well;Dose\nA1;0,3 µM\nA2;1,125 µM\nB1;300 nM\n"
    assert _index(write, text).fields["Metadata_Concentration"].tolist() == [0.3, 1.125, 0.3]


@pytest.mark.parametrize("blank", ["", "n/a", "-", "NONE"])
def test_doses_beside_blanks_and_after_spaces_that_do_not_break(write: Write, blank: str) -> None:
    text = f"Well,Dose\nA1,10\u00a0µM\nA2,300\u202fnM\nB1,{blank}\n"
    found = _index(write, text).fields["Metadata_Concentration"]
    assert found[:2].tolist() == [10, 0.3]
    assert found.isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    "name",
    [
        *("Final conc. [µM]", "Konzentration (µM)", "mmoles_per_liter", "Taxol_nM", "Dosis"),
        *("Stock mM", "logC", "log10 conc (M)", "-log10 M", "-log10[M]"),
    ],
)
def test_a_column_that_may_hold_doses_is_named_where_none_are_read(
    write: Write, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    _index(write, f"Well,{name},Concept,Area (um)\nA1,1,1,1\nA2,2,1,1\nB1,3,1,1\n")
    assert f"no doses are read: Metadata_{name} may hold them" in caplog.text
    assert ("of logarithms write the amounts" in caplog.text) == ("log" in name)
    caplog.clear()
    _index(write, "Well,Dose,Dose group\nA1,1,1\nA2,2,1\nB1,3,1\n")
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "doses", "said"),
    [
        (
            "Dose",
            (0, 1e-6, 3e-7),
            "is 1e-06 at most and has no unit: where it is molar, call the col",
        ),
        ("Concentration", (-6, -7, -8), "holds -8, and no dose is negative: of logarithms write"),
        ("Dose (M)", (0, 1e-6, 3e-7), None),
        ("Dose", (0, 1e-3, 1), None),
    ],
)
def test_doses_that_may_be_molar_or_logarithms_are_told(
    write: Write,
    caplog: pytest.LogCaptureFixture,
    name: str,
    doses: tuple[float, ...],
    said: str | None,
) -> None:
    rows = "\n".join(map("{},{}".format, ("A1", "A2", "B1"), doses))
    _index(write, f"Well,{name}\n{rows}\n")
    assert [(said or "") in text for text in caplog.messages] == [True] * (said is not None)


def test_missing_and_surplus_wells_are_reported(write: Write) -> None:
    found = _index(write, "Well,Compound\nA1,x\nA2,y\nC7,z\nC8,z\n")
    assert found.fields["Metadata_Compound"].tolist() == ["x", "y", ""]
    assert found.absent == 2
    assert found.problems["Problem"].tolist() == ["no metadata"]
    assert found.problems["Metadata_Well"].tolist() == ["B01"]
    # A map of the whole plate names wells where nothing was.
    map_of_plate = "Well,Compound,Dose\nA1,x,1\nA2,y,2\nB1,,\nC7,z,\nC8,,\nC9,,\n"
    assert _index(write, map_of_plate).absent == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Well,Dose\nA1,1\na01,2\nB1,3\n", "several rows that differ for A01[.]"),
        (
            "Plate,Well,Dose\nplate,A1,1\nplate,A1,2\nplate,A2,1\nplate,A2,1\n",
            "differ for plate/A01[.].*apart[.]$",
        ),
        ("PLATE ID,Well\nplate,A1\nb,A1\n", "If 'PLATE ID' names the plates, call it Plate[.]"),
        ("Position,Dose\nA1,1\n", "needs a column Well.*has Position, Dose"),
        ("Well,Dose\nQQ,1\n", "column Well: 'QQ' is not a well"),
        ("Well,Dose\n1,1\n13,2\n", "'1' is not a well.* are counted, write them as A01"),
        ("Well,Dose\nA1,1\n,µM\nA2,2\n", "'' is not a well.* 1 of 3 rows, first in row 2 below"),
        ("Screen 12,,\nof May,,\nWell,Compound,Dose\nA1,x,1\n", "Row 2 below seems to hold"),
        ("Screen 12,,\nRow,Column,Dose\nA,1,1\n", "Row 1 below seems to hold"),
        (
            ",1,2\nA,x,y\nB,z,z\n",
            "drawn as the plate lies, and what a grid holds is not said: write it",
        ),
        ("Plate 7,,\nRow/Col,1,2\nA,x,y\nB,z,z\n", "what a grid holds is not said"),
        ("Well,Drug,x\nA1,y,\nMap,1,2\nA,x,y\n", "'Map' is not a well"),
        ("Drug,C1,C2\nA,x,y\nB,z,z\n", "does not say which well its rows are about"),
        ("1,2,3\nA,x,y\nB,z,z\n", "does not say which well its rows are about"),
        ("Drug,1,2\nA,x,y\nB,z,z\nA,z,z\n", "Drug: row A is there twice"),
        ("Dose;1;2\nA;1.000;300\nB;1;1\n", "column Dose: 1.000 seems to hold a point between"),
        (
            "Drug,1,2\nA,x,y\nB,z,z\n\nDrug,1,2\nA,0,1\nB,2,3\n",
            "two grids are called Drug.* and a column Plate[.]",
        ),
        (
            "Plate,Well,Drug\nplate,A1,x\n,A2,y\n,B1,\n",
            "column Plate: empty in 1 of 3 rows.* merged",
        ),
        ("Row,Column,Dose\n0,0,1\n1,1,1\n", "where they count from 0, add 1 to all"),
        ("Well,Label\nA1,x\nA2,y\n", "metadata have a column Label.* such as Class[.]"),
        ("Well,label\nA1,x\nA2,y\n", "column label, .* called Label: .* such as Class[.]"),
        ("Well,center_X\nA1,1\nA2,2\n", "column center_X.* such as Field_Center_X[.]"),
        ("Well,Dose\n", "has no rows"),
        ("", "cannot be read as a CSV"),
        ("Map\nWell,Compound\nA1,a\n", "take out what stands above the columns' names"),
        ('Well,Compound\nA1,"a\nA2,b\n', "close the quotation mark"),
        ("Map\n\nOf,May\nWell,Compound,Dose\nA1,a,1\n", "take out what stands above the columns"),
        ("Well,Dose\nH1,1\n", "no row for any field.*wells are H01; the files' are A01"),
        ("Plate,Well\nP 9,A1\n", "plates are P 9; the files' are plate.*--plate-name 'P 9'"),
    ],
)
def test_contradictory_metadata(write: Write, text: str, message: str) -> None:
    with pytest.raises(PlateError, match=message):
        _index(write, text)


@pytest.mark.parametrize("again", ["Compound", "compound", "Metadata_Compound", "Compound "])
def test_of_two_columns_of_one_meaning_that_agree_one_is_read(
    write: Write, caplog: pytest.LogCaptureFixture, again: str
) -> None:
    caplog.set_level("INFO")
    fields = _index(write, f"Well,Compound,{again}\nA1,x,x\nA2,y,y\nB1,z,z\n").fields
    assert fields["Metadata_Compound"].tolist() == ["x", "y", "z"]
    assert fields.filter(regex="(?i)compound").shape[1] == 1
    assert "Compound is read, and what says the same left out: " in caplog.text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("Well,Compound,Compound", "Compound and Compound.1 .* row 2 below the names: 'y' and 'z'"),
        ("Well,Compound,compound", "columns Compound and compound would both be read as Compound"),
        ("Well,Note,Metadata_Note", "columns Note and Metadata_Note would both"),
        ("Well,Dose,Dose", "both be read as Dose.* Take one out, or give it a name"),
        ("Well,Drug name,drug name", "both be read as Drug name"),
    ],
)
def test_two_columns_of_one_meaning_that_differ_are_refused(
    write: Write, names: str, message: str
) -> None:
    with pytest.raises(PlateError, match=message):
        _index(write, f"{names}\nA1,x,x\nA2,y,z\nB1,z,z\n")


def test_remarks_may_have_one_name(write: Write) -> None:
    fields = _index(write, "Well,Note,Note,Note \nA1,x,y,z\nA2,x,y,z\nB1,x,y,z\n").fields
    assert fields[["Metadata_Note", "Metadata_Note.1"]].iloc[0].tolist() == ["x", "y"]


def test_two_columns_of_compounds_in_a_table_of_ones_own_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plate.csv"
    names = "Metadata_Plate,Metadata_Well,Metadata_Site,Path_DNA,Path_DNA.1"
    path.write_text(f"{names},Metadata_Compound,Metadata_Compound\nP,A1,1,a.tif,b.tif,x,y\n")
    with pytest.raises(PlateError, match=r"differ, first in row 1 below the names: 'x' and 'y'"):
        PlateIndex.load(path)
    path.write_text(f"{names},Metadata_Compound\nP,A1,1,a.tif,b.tif,x\n")
    assert PlateIndex.load(path).channels == ("DNA", "DNA.1")


def test_rows_that_agree_in_all_count_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    rows = "A1,x,1\nA2,y,\nA01,x,1.0\nB1,z,3\nA2,y,\n"
    found = _index(write, f"Well,Compound,Dose\n{rows}")
    assert found.fields["Metadata_Compound"].tolist() == ["x", "y", "z"]
    assert found.problems.empty
    assert caplog.text.count("2 rows agree with another in every column: taken once") == 1


def test_a_folder_for_each_plate_of_the_table_is_a_matter_of_the_pattern(write: Write) -> None:
    folder = write("P1/A1.1.tif", "P2/A1.1.tif")
    table = folder / "wells.csv"
    table.write_text("Plate,Well\nP1,A1\nP2,A1\n")
    with pytest.raises(PlateError, match=r"begin --pattern with '\(\?P<plate>\[\^/\]\+\)/'"):
        index(folder, pattern="P1/" + PATTERN, metadata=table)
    assert len(index(folder, pattern="(?P<plate>[^/]+)/" + PATTERN, metadata=table).fields) == 2


def test_several_plates_by_other_names_are_not_made_one(write: Write) -> None:
    folder = write("P1_a/A1.1.tif", "P2_a/A1.1.tif")
    table = folder / "wells.csv"
    table.write_text("Plate,Well\nP1,A1\nP2,A1\n")
    with pytest.raises(
        PlateError, match=r"files' are P1_a and P2_a\. Write the plates into"
    ) as error:
        index(folder, pattern=r"(?P<plate>\w+)/" + PATTERN, metadata=table)
    assert "--plate-name" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Well,Drug\nA1,x\n",
            "names no plates: its wells are taken for those of each of 2 plates.",
        ),
        ("Well,Plate ID,Drug\nA1,P1,x\n", "If 'Plate ID' names the plates, call it Plate."),
        (
            "Plate,Well,Drug\nP1,A1,x\np 2,A1,y\n",
            "says nothing of plate P2, and there are no images of its plate p 2",
        ),
        ("Plate,Well,Drug\nP1,A1,x\n", None),
        ("Plate,Well,Drug\nP1,A1,x\n,A2,\n", None),
    ],
)
def test_plates_that_a_table_leaves_open_are_said(
    write: Write, caplog: pytest.LogCaptureFixture, text: str, said: str | None
) -> None:
    folder = write("P1/A1.1.tif", "P2/A1.1.tif")
    table = folder.parent / "wells.csv"
    table.write_text(text)
    with caplog.at_level("INFO"):
        index(folder, pattern=f"(?P<plate>[^/]+)/{PATTERN}", metadata=table)
    told = [message for message in caplog.messages if "wells.csv" in message]
    assert [(said or "") in message for message in told] == [True] * (said is not None)


def test_a_plate_that_a_spreadsheet_made_a_number_is_told(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write("1E05/A1.1.tif", "Q1/A1.1.tif")
    table = folder.parent / "wells.csv"
    pattern = f"(?P<plate>[^/]+)/{PATTERN}"
    table.write_text("Plate,Well,Drug\n1.00E+05,A1,x\nQ1,A1,y\n")
    index(folder, pattern=pattern, metadata=table)
    said = "Of 1E05 a spreadsheet made 1.00E+05: have it take the column as text."
    assert said in caplog.text
    table.write_text("Plate,Well,Drug\n1.00E+05,A1,x\n")
    with pytest.raises(PlateError, match=re.escape(said)):
        index(folder, pattern=pattern, metadata=table)


@pytest.mark.parametrize(
    "text",
    [
        "Drug,1,2\nA,DMSO,taxol\nB,noc\n\nDose (nM),1,2\nA,,500\nB,20,\n",
        "Drug,,\n<>,01,02\na,DMSO,taxol\nb,noc,\n,,\nDose (nM),,\n,1.0,2.0\nA,,500\nB,20,\n",
        "Drug;;\nRow;1;2\nA;DMSO;taxol\nB;noc;\n;Dose (µM);\n;1;2\nA;;0,5\nB;0,02;\n",
    ],
)
def test_tables_drawn_as_the_plate_lies(write: Write, text: str) -> None:
    fields = _index(write, text).fields
    assert fields["Metadata_Compound"].tolist() == ["DMSO", "taxol", "noc"]
    assert fields["Metadata_Concentration"].fillna(-1).tolist() == [-1, 0.5, 0.02]


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("Passage,1,2\nA,1,2\nB,1,2\n", [1, 2, 1]),
        ("Passage,02,03\nA,1,2\nB,1,2\n", [1]),
    ],
)
def test_numbers_of_a_grid_are_no_other_and_edges_may_lack(
    write: Write, text: str, passages: list[int]
) -> None:
    fields = _index(write, text).fields
    assert fields["Metadata_Passage"].dropna().tolist() == passages
    assert "Metadata_A" not in fields


def test_letters_of_two_signs_are_those_of_one(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """A Mac may write them so in the names of folders."""
    one, two = "Pl\u00e4tte", "Pla\u0308tte"
    folder = write(f"{two}/A1.1.tif", f"{two}/A2.1.tif")
    table = folder.parent / "wells.csv"
    table.write_text(f"Plate,Well,Drug\n{one},A1,{one}\n{one},A2,{two}\n", "utf-8")
    fields = index(folder / two, pattern=PATTERN, metadata=table).fields
    assert fields["Metadata_Compound"].tolist() == [one, two]
    assert f"count as different ones: {two} and {one}" in caplog.text


@pytest.mark.parametrize("name", ["02-Sep", "1-Mar", "Sep-02", "01. Mrz", "2.Dez"])
def test_genes_that_a_spreadsheet_made_dates_of_are_told(
    write: Write, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    _index(write, f"Well,Gene\nA1,1-octanol\nA2,{name}\nB1,Marimastat 10\n")
    (message,) = caplog.messages
    assert f"Metadata_Gene holds {name}, as a spreadsheet makes" in message


def test_metadata_that_are_not_there(write: Write, tmp_path: Path) -> None:
    with pytest.raises(PlateError, match=r"--metadata .*none\.csv: there is no such file"):
        index(write("A1.1.tif"), pattern=PATTERN, metadata=tmp_path / "none.csv")


def test_controls_are_marked_by_value(write: Write) -> None:
    text = "Well,SBS_Controls\nA1,-1.0\nA2,1\nB1,0\n"
    found = _index(write, text, control_column="sbs_controls", negative="-1", positive="1")
    assert found.fields["Metadata_Control"].tolist() == ["negative", "positive", ""]
    found = _index(write, "Well,Compound\nA1,DMSO\nA2,x\nB1,DMSO\n", negative="DMSO")
    assert found.fields["Metadata_Control"].tolist() == ["negative", "", "negative"]


def test_control_column_of_ones_own(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    found = _index(write, "Well,control\nA1,Negative\nA2,poscon\nB1,treated\n")
    assert found.fields["Metadata_Control"].tolist() == ["negative", "positive", ""]
    assert "treated" in caplog.text
    assert _index(write, "Well,Dose\nA1,1\n").fields["Metadata_Control"].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"control_column": "Type", "negative": "x"}, "no column 'Type'; they have .*Dose"),
        (
            {"control_column": "Dose", "negative": "9"},
            "no well has '9' in Metadata_Dose.*1, 2 and 3",
        ),
        ({"control_column": "Dose"}, "give --negative, --positive"),
        ({"negative": "DMSO"}, "no column 'Compound'"),
    ],
)
def test_bad_controls(write: Write, options: dict[str, str], message: str) -> None:
    with pytest.raises(PlateError, match=message):
        _index(write, "Well,Dose\nA1,1\nA2,2\nB1,3\n", **options)


def test_a_control_in_other_letters_is_suggested(write: Write) -> None:
    with pytest.raises(PlateError, match=r"values there: DMSO and x; did you mean 'DMSO'\?"):
        _index(write, "Well,Compound\nA1,DMSO\nA2,x\nB1,x\n", negative="dmos")


def test_capitals_of_a_control_do_not_count_unless_names_differ_by_them(write: Write) -> None:
    found = _index(write, "Well,Compound\nA1,DMSO\nA2,x\nB1,X\n", negative="dmso", positive="X")
    assert found.fields["Metadata_Control"].tolist() == ["negative", "", "positive"]


def test_spaces_around_names_make_no_other_compound(write: Write) -> None:
    text = "Well,Compound,MOA\nA1,taxol ,x\nA2,taxol,x\u00a0\nB1,DMSO ,y\n"
    fields = _index(write, text, negative="DMSO").fields
    assert fields["Metadata_Compound"].tolist() == ["taxol", "taxol", "DMSO"]
    assert fields["Metadata_MOA"].tolist() == ["x", "x", "y"]


def test_wells_without_a_compound_are_counted(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    _index(write, "Well,Compound,MOA\nA1,taxol,x\nA2,,x\nB1, ,x\n")
    assert "Metadata_Compound is empty in 2 of 3 wells; where a spreadsheet" in caplog.text
    assert "Metadata_MOA is empty" not in caplog.text


def test_controls_have_no_mechanism_and_none_is_missed(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    table = "Well,Compound,MOA\nA1,taxol,x\nA2,DMSO,\nB1,y,\n"
    _index(write, table, control_column="Compound", negative="DMSO")
    assert "Metadata_MOA is empty in 1 of 3 wells" in caplog.text


def test_names_that_differ_in_case_alone_are_said(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    fields = _index(write, "Well,Drug,MOA\nA1,Taxol,x\nA2,TAXOL,x\nB1,DMSO,y\n").fields
    assert fields["Metadata_Compound"].tolist() == ["Taxol", "TAXOL", "DMSO"]
    assert "Metadata_Compound: names that differ in capitals or blanks alone" in caplog.text
    assert "TAXOL and Taxol" in caplog.text
    assert "Metadata_MOA: names" not in caplog.text


def test_what_a_table_leaves_open_is_said_when_it_is_read_and_not_again(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    found = _index(write, "Well,Drug,MOA\nA1,Taxol,x\nA2,TAXOL,\nB1,DMSO,y\n")
    saved = found.save(tmp_path / "plate.csv")
    assert "in capitals or blanks alone" in caplog.text
    assert "Metadata_MOA is empty in 1 of 3 wells" in caplog.text
    caplog.clear()
    PlateIndex.load(saved)
    assert caplog.text == ""
    saved.with_name("plate.problems.csv").unlink()  # as a table of one's own comes
    PlateIndex.load(saved)
    assert "in capitals or blanks alone" in caplog.text
    assert "Metadata_MOA is empty in 1 of 3 wells" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        ",Well,Compound,MOA\n0,A1,taxol,x\n1,A2,DMSO,y\n2,B1,DMSO,y\n",  # pandas
        "Unnamed: 0,Well,Compound,MOA\n5,A1,taxol,x\n7,A2,DMSO,y\n9,B1,DMSO,y\n",  # and again
        "Well,Compound,MOA,,\nA1,taxol,x,,\nA2,DMSO,y,,\nB1,DMSO,y,,\n",  # a spreadsheet
        "Well,Compound,MOA,\nA1,taxol,x\nA2,DMSO,y\nB1,DMSO,y\n",
        '"Well","Compound","MOA"\n"1","A1","taxol","x"\n"2","A2","DMSO","y"\n"3","B1","DMSO","y"\n',
        '"Well"\t"Compound"\t"MOA"\n"4"\t"A1"\t"taxol"\t"x"\n"5"\t"A2"\t"DMSO"\t"y"\n"6"\t"B1"\t"DMSO"\t"y"\n',
    ],
)
def test_columns_without_names_count_rows_or_are_empty(write: Write, text: str) -> None:
    fields = _index(write, text).fields.filter(like="Metadata_")
    assert fields["Metadata_Compound"].tolist() == ["taxol", "DMSO", "DMSO"]
    assert fields["Metadata_MOA"].tolist() == ["x", "y", "y"]
    assert not fields.columns.str.contains("Unnamed").any()


def test_an_empty_last_column_moves_no_other(write: Write) -> None:
    r = '"Well","Compound","Note"\n"1","A1","taxol",""\n"2","A2","DMSO",""\n"3","B1","DMSO",""\n'
    assert _index(write, r).fields["Metadata_Compound"].tolist() == ["taxol", "DMSO", "DMSO"]
    named = "Well,Compound,Note\nA1,taxol,\nA2,DMSO,\nB1,DMSO,\n"
    fields = _index(write, named).fields
    assert fields["Metadata_Compound"].tolist() == ["taxol", "DMSO", "DMSO"]
    assert fields["Metadata_Note"].tolist() == [""] * 3


def test_remarks_beyond_the_last_name_are_not_taken_for_what_has_one(write: Write) -> None:
    with pytest.raises(PlateError, match=r"rows have 3 columns and the first line only 2 names"):
        _index(write, "Well,Compound\nA1,taxol,\nA2,DMSO,looks odd\nB1,DMSO,\n")


def test_a_column_without_a_name_that_says_something_stays(write: Write) -> None:
    fields = _index(write, "Well,Compound,\nA1,taxol,high\nA2,DMSO,\nB1,DMSO,\n").fields
    assert fields["Metadata_Unnamed: 2"].tolist() == ["high", "", ""]


def test_rows_that_end_with_a_separator_stay_in_their_columns(write: Write) -> None:
    fields = _index(write, "Well,Compound\nA1,taxol,\nA2,DMSO,\nB1,DMSO,\n").fields
    assert fields["Metadata_Compound"].tolist() == ["taxol", "DMSO", "DMSO"]


def test_the_empty_margin_of_a_sheet_is_no_well(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write("A01_w1.tif", "A02_w1.tif")
    rows = ["Well;Compound;Conc (nM);;", "A1;DMSO;0;;", "A2;ä;312,5;;", ";;;;", ";;;;"]
    (folder / "wells.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    with caplog.at_level("INFO"):
        fields = index(folder, metadata=folder / "wells.csv").fields
    assert fields["Metadata_Concentration"].tolist() == [0, 0.3125]
    assert not [name for name in fields if "Unnamed" in name]
    assert caplog.text.count("read as Windows-1252") == 1


@pytest.mark.parametrize("keys", [{"Metadata_Well": ["A1", "A2"]}, {}])
def test_empty_names_of_a_parquet_tables_categories_are_counted(
    keys: dict[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    table = pd.DataFrame({**keys, "Metadata_Compound": pd.Categorical(["taxol", None])})
    say_doubts(table)
    assert "Metadata_Compound is empty in 1 of 2 wells" in caplog.text


def test_doses_of_a_parquet_tables_categories_are_read() -> None:
    doses = pd.Categorical(["3 uM", "500 nM", "3 uM"], categories=["500 nM", "1 uM", "3 uM"])
    table = recognise_treatments(pd.DataFrame({"Metadata_Dose": doses}))
    assert table["Metadata_Concentration"].tolist() == [3.0, 0.5, 3.0]


def test_a_table_parted_by_blanks_is_refused_with_the_way_to_mend_it(tmp_path: Path) -> None:
    path = tmp_path / "wells.txt"
    path.write_text('"Well" "Compound" "Dose"\n"1" "A01" "taxol B" 0.3\n"2" "A02" "DMSO" 0\n')
    with pytest.raises(PlateError, match=r"parted by blanks.*write\.csv"):
        read_spreadsheet(path)
    path.write_text("Well,Compound\nA01,taxol B\nA02,latrunculin A\n")
    assert read_spreadsheet(path)["Compound"].tolist() == ["taxol B", "latrunculin A"]
    path.write_text("\nWell name,Dose given\nA01 left,0.5 uM\n")
    assert read_spreadsheet(path)["Dose given"].tolist() == ["0.5 uM"]


def test_numbers_without_a_name_stay_unless_they_lead_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "wells.csv"
    path.write_text(",Well,\n1,A01,12\n2,A02,7\n")
    assert read_spreadsheet(path).to_dict("list") == {
        "Well": ["A01", "A02"],
        "Unnamed: 2": ["12", "7"],
    }
