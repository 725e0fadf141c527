"""GE (Cytiva) InCell Analyzer.

Names are ``A - 01(fld 1 wv Green - dsRed).tif``: well, field, excitation and emission, and maybe a plate
before: ``P1_A - 01(…``. What may follow, or stand in their place, is written in several ways: ``z 3``,
``time 2 - 600 ms``, ``- time 2 - 600 ms``, ``wix 2`` (the wave's number). The channel is called ``Green - dsRed``.
"""

import re
from pathlib import PurePosixPath
from typing import Any

from cellssl.columns import PLATE, SITE, WELL
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Layout, Listing
from cellssl.plates.layouts.naming import evidence, read_names
from cellssl.plates.tables import as_site
from cellssl.wells import well_from

_KIND = "InCell (A - 01(fld 1 wv Green - dsRed).tif)"
_NAME = re.compile(
    r"(?:(?P<plate>.+)_)?(?P<row>[A-Z]{1,2}) - (?P<column>\d{1,3})\((?:fld (?P<site>\d+))?"
    r"(?: ?wv (?P<channel>.+?))?"
    r"(?: wix \d+| z (?P<plane>\d+)|(?: ?-)? time (?P<time>\d+)(?: - \d+ ms)?)*\)\.(?:tiff?|png)",
    re.IGNORECASE,
)


class InCell(Layout):
    """Everything from the names; the plate is the folder."""

    name = "incell"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise names with a well and, in parentheses, field and wave."""
        return evidence(images, _NAME, _KIND)

    def find(self, images: Images) -> Listing:
        """Read every name."""

        def row(found: re.Match[str], path: PurePosixPath) -> dict[str, Any]:
            return {
                PLATE: images.plate or found["plate"] or path.parent.name or images.name,
                WELL: well_from(found["row"], found["column"]),
                SITE: as_site(found["site"] or "1"),
                "Channel": found["channel"] or "1",
                "Plane": int(found["plane"] or 1),
                "Time": int(found["time"] or 1),
            }

        return read_names(images, _NAME, row, kind=_KIND)
