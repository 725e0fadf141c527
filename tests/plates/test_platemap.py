import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.cli.plate_options import PlateFiles
from cellssl.plates import PlateIndex, layouts, plate_maps
from cellssl.plates.plateindex import PROBLEM_COLUMNS
from cellssl.wells import ROWS

from . import microscopes

KEYS = PROBLEM_COLUMNS[:3]


def _index(
    rows: int,
    columns: int,
    sites: Callable[[str], int],
    faulty: tuple[str, ...] = (),
    plates: int = 1,
) -> PlateIndex:
    wells = [f"{ROWS[row]}{column + 1:02}" for row in range(rows) for column in range(columns)]
    names = [f"P{number + 1}" for number in range(plates)]
    fields = [(p, well, str(s)) for p in names for well in wells for s in range(sites(well))]
    problems = [(names[-1], well, "9", "incomplete", "lacks DNA") for well in faulty]
    return PlateIndex(
        pd.DataFrame(fields, columns=KEYS),
        ("DNA",),
        pd.DataFrame(problems, columns=PROBLEM_COLUMNS),
    )


def test_wells_gaps_and_faults_are_seen_without_colour() -> None:
    counts = {"A02": 0, "B03": 4}
    text = plate_maps(_index(8, 12, lambda well: counts.get(well, 9), faulty=("A02", "C01"))).plain
    lines = text.splitlines()
    assert lines[0] == (
        "Plate P1: 96 of 96 wells, 850 fields, usually 9 a well, 2 wells with faults, 1 well with fewer"
    )
    assert lines[1].split() == [str(column) for column in range(1, 13)]
    assert lines[2].split() == ["A", "9", "0!", *["9"] * 10]
    assert lines[3].split() == ["B", "9", "9", "4<", *["9"] * 9]
    assert lines[4].split() == ["C", "9!", *["9"] * 11]
    assert lines[-1].startswith("! has incomplete or duplicate fields")
    gaps = plate_maps(_index(8, 12, lambda well: counts.get(well, 9))).plain.splitlines()
    assert gaps[2].split() == ["A", "9", "·", *["9"] * 10]


@pytest.mark.parametrize(
    ("rows", "columns", "fields", "width", "widest"),
    [
        (8, 12, 9, 80, 39),
        (16, 24, 9, 80, 75),
        (16, 24, 100, 80, 27),
        (32, 48, 4, 80, 51),
        (32, 48, 4, 150, 147),
    ],
)
def test_large_plates_fit_the_terminal(
    rows: int, columns: int, fields: int, width: int, widest: int
) -> None:
    lines = plate_maps(_index(rows, columns, lambda _: fields), width=width).plain.splitlines()
    body = lines[2 : 2 + rows]
    assert [line[:2].strip() for line in body] == list(ROWS[:rows])
    assert {len(line) for line in body} == {widest}
    assert len(lines[1]) <= width
    if widest < 3 * columns:  # a character each
        assert lines[1].split()[:3] == ["1", "5", "10"]
        assert lines[1].index("10") == 3 + 9
        assert body[0] == f" A {'#' * columns}"
        assert lines[-1].startswith(f"# {fields} fields   !")


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((4, 6), "24 of 24 wells (A01 to D06)"),
        ((2, 3), "6 of 6 wells (A01 to B03)"),
        ((1, 2), "2 of 96 wells,"),
        ((9, 1), "9 of 384 wells,"),
    ],
)
def test_size_of_the_plate(shape: tuple[int, int], size: str) -> None:
    assert f"Plate P1: {size}" in plate_maps(_index(*shape, lambda _: 1)).plain


def test_wells_of_all_plates_show_their_size() -> None:
    """Six wells in a corner are a corner where another plate goes further; alone nothing tells."""
    corner = _index(2, 3, lambda _: 1, plates=2)
    further = corner.fields.replace({"Metadata_Plate": {"P2": "P3"}})
    further.loc[further["Metadata_Plate"] == "P3", "Metadata_Well"] = "H12"
    lines = plate_maps(replace(corner, fields=further)).plain.splitlines()
    assert lines[0].startswith("Plate P1: 6 of 96 wells,")
    assert len(lines[1].split()) == 12


def test_an_empty_well_leaves_a_small_plate_small() -> None:
    lines = plate_maps(_index(4, 6, lambda well: int(well != "B02"))).plain.splitlines()
    assert lines[0].startswith("Plate P1: 23 of 24 wells (A01 to D06), 23 fields")
    assert lines[3].split() == ["B", "1", "·", "1", "1", "1", "1"]
    inner = plate_maps(_index(3, 4, lambda well: int(well[0] != "A" and well[1:] != "01"))).plain
    assert inner.startswith("Plate P1: 6 of 96 wells,")  # B02 to C04


def test_other_plates_get_a_line() -> None:
    lines = plate_maps(_index(2, 3, lambda _: 2, faulty=("A01",), plates=6)).plain.splitlines()
    assert sum(line.startswith("Plate ") for line in lines) == 3
    assert lines[-1] == "and 3 more plates with 36 fields; faults or fewer fields on P6 (1 well)"


def test_nothing_to_draw() -> None:
    assert plate_maps(_index(0, 0, lambda _: 0)).plain == ""
    lines = plate_maps(_index(0, 0, lambda _: 0, faulty=("B02",))).plain.splitlines()
    assert lines[0] == "Plate P1: 1 of 96 wells, 0 fields, usually 0 a well, 1 well with faults"


def test_the_option_names_every_layout() -> None:
    hint = get_type_hints(PlateFiles, include_extras=True)["layout"]
    said = set(re.findall(r"[a-z0-9-]+", hint.__metadata__[0].help.partition(":")[2]))
    assert said - {"or"} == {"auto", *layouts.names()}


def test_index_command_draws_and_says_why(tmp_path: Path) -> None:
    microscopes.phenix(tmp_path / "plate", microscopes.shoot(planes=2))
    out = tmp_path / "plate.csv"
    run = CliRunner()
    failed = run.invoke(app, ["plates", "index", str(tmp_path / "plate"), "-o", str(out)])
    assert failed.exit_code == 1
    assert "--z" in failed.output
    done = run.invoke(
        app, ["plates", "index", str(tmp_path / "plate"), "-o", str(out), "--z", "max"]
    )
    assert done.exit_code == 0
    for said in (
        "layout phenix: 16 of 16 images are named like Opera Phenix",
        "2 of 96 wells, 4 fields, usually 2 a well",
        " B  ·  2  ·",
        "channels: 1, 2",
        f"written to {out}",
    ):
        assert said in done.output
    again = PlateIndex.load(out)
    assert len(again.fields) == 4
    assert again.notes[0].startswith("layout phenix: 16 of 16")
    quiet = run.invoke(
        app, ["plates", "index", str(tmp_path / "plate"), "-o", str(out), "--z", "1", "--quiet"]
    )
    assert quiet.output == ""
