"""What parts columns and decimals, where one line alone would mislead."""

import gzip
from pathlib import Path

import pytest

from cellssl.punctuation import punctuation_of, separator_of


@pytest.mark.parametrize(
    ("lines", "separator"),
    [
        (["Well,Note; with; more", "A1,x"], ","),
        (["Well;Dose, µM", "A1;0,5"], ";"),
        (["Well;Dose, low, high", "A1;0,5"], ";"),
        (['Well,"a;b;c"', 'A1,"1;2"'], ","),
        (["Well\tGenes; aliases", "A1\tTP53; P53"], "\t"),
        (["Well"], ","),
        ([], ","),
    ],
)
def test_all_lines_say_what_parts_columns(lines: list[str], separator: str) -> None:
    assert separator_of(lines) == separator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n0,5;1\n", (";", ",")),
        ("a;b\n0.5;1\n", (";", ".")),
        ("a;b\n1,500;1\n", (";", ".")),  # thousands, perhaps
        ("a;b\n1,500;0,5\n", (";", ",")),
        ('a,b\n"0,5",1\n', (",", ".")),
    ],
)
def test_decimals_are_those_that_the_numbers_have(
    text: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(text)
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write(text)
    assert punctuation_of(tmp_path / "t.csv") == expected
    assert punctuation_of(tmp_path / "t.csv.gz") == expected
