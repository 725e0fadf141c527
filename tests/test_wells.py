import pytest

from cellssl.errors import PlateError
from cellssl.wells import normalise_well, well_from


@pytest.mark.parametrize(
    ("name", "well"),
    [
        ("A1", "A01"),
        ("a01", "A01"),
        (" h12 ", "H12"),
        ("P24", "P24"),
        ("p024", "P24"),
        ("aa1", "AA01"),
        ("AF48", "AF48"),
        ("A-1", "A01"),
        ("r02c03", "B03"),
        ("R32C48", "AF48"),
    ],
)
def test_well_has_one_spelling(name: str, well: str) -> None:
    assert normalise_well(name) == well


@pytest.mark.parametrize("name", ["", "A", "1", "A0", "A00", "A49", "AG01", "ZZ1", "A001B", "01A"])
def test_what_is_no_well_is_refused(name: str) -> None:
    with pytest.raises(PlateError, match="not a well"):
        normalise_well(name)


def test_rows_may_be_numbers() -> None:
    assert well_from("3", "07") == "C07"
    assert well_from("32", "48") == "AF48"
    with pytest.raises(PlateError, match="column from 1 to 48"):
        well_from("33", "1")
