import pytest

from cellssl.errors import PlateError
from cellssl.wells import normalise_well, plate_format, well_from, well_place


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


@pytest.mark.parametrize(
    ("wells", "size"),
    [
        ("A01 H12", (8, 12)),
        ("A01 I01", (16, 24)),
        ("A01 AF48", (32, 48)),
        ("", (8, 12)),
        ("A01 A02 A03 B01 B02 B03", (2, 3)),
        ("A01 A02 A03 B02 B03", (2, 3)),  # one is empty
        ("A01 A02 B01 B02", (8, 12)),  # no usual plate ends there
        ("B02 B03 B04 C02 C03 C04", (8, 12)),  # half of twelve
        ("A01 B03", (8, 12)),
    ],
)
def test_a_plate_is_as_small_as_its_wells_show(wells: str, size: tuple[int, int]) -> None:
    assert plate_format(map(well_place, wells.split())) == size
