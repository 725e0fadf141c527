"""Real plates give the same crops whichever layout reads them."""

from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
import pytest

from cellssl.cells import crop
from cellssl.crops import Crops
from cellssl.plates import PlateIndex, index

_SBS = r"Channel(?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif"


def load_data(plate: PlateIndex, path: Path) -> Path:
    """Write the fields as CellProfiler's LoadData CSV."""
    fields = plate.fields
    columns = {f"Metadata_{key}": fields[f"Metadata_{key}"] for key in ("Plate", "Well", "Site")}
    for channel in plate.channels:
        paths = [PurePath(text) for text in fields[f"Path_{channel}"]]
        columns[f"Image_FileName_{channel}"] = [path.name for path in paths]
        columns[f"Image_PathName_{channel}"] = [str(path.parent) for path in paths]
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["sbs_plate", "bbbc021/fields"])
def test_load_data_gives_the_same_crops(name: str, data: Path, tmp_path: Path) -> None:
    sbs = {"pattern": _SBS, "channels": {"1": "GFP", "2": "DNA"}} if "sbs" in name else {}
    own = index(data / name, plate="P", **sbs)
    own = replace(own, fields=own.fields[:4])
    table = load_data(own, tmp_path / "load_data.csv")
    listed = index(data / name, layout="cellprofiler", metadata=table, channels=None)
    assert len(listed.fields) == len(own.fields)
    one, two = (
        Crops.open(crop(plate, tmp_path / folder, progress=False).crops)
        for plate, folder in ((own, "own"), (listed, "listed"))
    )
    order = [two.channels.index(channel) for channel in one.channels]
    assert len(one) > 100
    assert one.obs.index.tolist() == two.obs.index.tolist()
    np.testing.assert_array_equal(one.read(), two.read()[:, order])
    np.testing.assert_array_equal(one.masks(), two.masks())
