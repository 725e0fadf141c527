"""What was dropped and why."""

import pandas as pd
import pytest

from cellssl.report.page import Picture, Row, Text
from cellssl.report.sections.dropped import dropped_section


@pytest.mark.parametrize(("last", "beside"), [("H12", True), ("P24", False)])
def test_plates_that_two_do_not_fit_on_a_page_stand_one_above_the_other(
    last: str, beside: bool
) -> None:
    fields = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": ["A01", last],
            "Metadata_Site": "1",
            "found": [20, 30],
            "kept": [10, 30],
            "dropped_border": [10, 0],
            "Problem": "",
        }
    )
    section = dropped_section(fields, None)
    assert section is not None
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    rows = [block for block in section.blocks if isinstance(block, Row)]
    assert (len(pictures), len(rows)) == ((0, 1) if beside else (2, 0))


def test_wells_and_compounds_without_a_cell_left_are_named() -> None:
    fields = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": ["A01", "A02", "A03", "A04"],
            "Metadata_Site": "1",
            "Metadata_Compound": ["DMSO", "knock-down", "poison", None],
            "found": [20, 20, 0, 9],
            "kept": [10, 0, 0, 0],
            "dropped_border": [10, 9, 0, 9],
            "dropped_noise": [0, 11, 0, 0],
            "Problem": "",
        }
    )
    section = dropped_section(fields, None)
    assert section is not None
    wells, compounds = (
        block.text
        for block in section.blocks
        if isinstance(block, Text) and block.tone == "warning"
    )
    assert "1 well kept no cell, since they were dropped as noise (P1/A02)." in wells
    assert "--keep noise" in wells
    assert compounds == "Compound of which no cell is left: knock-down and poison."


def test_wells_that_lost_most_cells_for_what_others_hardly_lose_any_are_named() -> None:
    fields = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": ["A01", "A02", "A03"],
            "found": 40,
            "kept": [40, 10, 40],
            "dropped_large": [0, 30, 0],
            "Problem": "",
        }
    )
    section = dropped_section(fields, None)
    assert section is not None
    texts = [block.text for block in section.blocks if isinstance(block, Text)]
    assert any("1 well lost most cells as large" in text and "P1/A02" in text for text in texts)
