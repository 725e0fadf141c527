"""What was dropped and why."""

import pandas as pd
import pytest

from cellssl.report.page import Picture, Row
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
