from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cellssl.errors import PlateError
from cellssl.plates import index
from cellssl.plates.stacks import choose_planes, first_time_point

from . import microscopes
from .microscopes import shoot

COLUMNS = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Channel", "Plane", "Path"]


def _files(planes: dict[str, list[int]]) -> pd.DataFrame:
    rows = [
        ("P", "A01", "1", channel, plane, f"{channel}{plane}.tif")
        for channel, numbers in planes.items()
        for plane in numbers
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    ("z", "path"),
    [
        ("max", "a{2|4|6|8}.tif::max"),
        (" Mean ", "a{2|4|6|8}.tif::mean"),
        ("middle", "a4.tif"),
        ("6", "a6.tif"),
        (2, "a2.tif"),
    ],
)
def test_what_stands_for_a_stack(z: str | int, path: str) -> None:
    chosen, lacking = choose_planes(_files({"a": [4, 8, 2, 6], "b": [1]}), z)
    assert chosen["Path"].tolist() == [path, "b1.tif"]
    assert "Plane" not in chosen
    assert not lacking


@pytest.mark.parametrize(
    ("z", "path"),
    [
        ("max", "z{0|1|2}_w1.tif::max"),
        ("mean", "z{0|1|2}_w1.tif::mean"),
        ("middle", "z1_w1.tif"),
        ("0", "z0_w1.tif"),
    ],
)
def test_planes_may_be_counted_from_0(write: Callable[..., Path], z: str, path: str) -> None:
    folder = write(*(f"B02_z{plane}_w1.tif" for plane in range(3)))
    pattern = r"(?P<well>[A-P]\d\d)_z(?P<z>\d)_w(?P<channel>\d)"
    fields = index(folder, pattern=pattern, z=z).fields
    assert fields["Path_1"].tolist() == [f"{folder}/B02_{path}"]


def test_single_planes_need_nothing() -> None:
    for z in (None, "max", 5):
        assert choose_planes(_files({"a": [3], "b": [1]}), z)[0]["Path"].tolist() == [
            "a3.tif",
            "b1.tif",
        ]
    table = _files({"a": [1]}).drop(columns="Plane")
    assert choose_planes(table, None)[0] is table


def test_the_choice_is_explained() -> None:
    files = _files({"a": [1, 2, 3], "b": [1]})
    with pytest.raises(PlateError) as caught:
        choose_planes(files, None)
    for said in (
        "planes 1, 2, 3 (channel a)",
        "--z",
        "max",
        "mean",
        "middle (here plane 2)",
        "--z 1",
    ):
        assert said in str(caught.value)
    with pytest.raises(PlateError, match="--z 9: there is no such plane; there are planes 1, 2, 3"):
        choose_planes(files, 9)
    for wrong in ("top", "-1", "1.5", ""):
        with pytest.raises(PlateError, match="wanted max, mean, middle, or the number of a plane"):
            choose_planes(files, wrong)


@pytest.mark.parametrize(("z", "complete"), [("max", 3), ("2", 3), ("middle", 3), ("1", 4)])
def test_missing_planes_are_named(tmp_path: Path, z: str, complete: int) -> None:
    shots = shoot(planes=3)
    microscopes.phenix(tmp_path, shots)
    next(tmp_path.rglob(microscopes.phenix_name(shots[1]))).unlink()
    found = index(tmp_path, z=z)
    assert len(found.fields) == complete
    details = found.problems["Detail"].tolist()
    assert details == ([] if complete == 4 else ["lacks 1 (plane 2)"])


def test_a_plane_twice_is_a_duplicate(tmp_path: Path) -> None:
    shots = shoot(planes=3)
    microscopes.phenix(tmp_path, shots)
    path = next(tmp_path.rglob(microscopes.phenix_name(shots[1])))
    path.with_suffix(".tif").write_bytes(path.read_bytes())
    found = index(tmp_path, z="max")
    assert found.problems["Problem"].tolist() == ["duplicate"]
    assert len(found.fields) == 3


def test_time_points_are_counted_per_plate() -> None:
    files = pd.concat([_files({"a": [1, 1, 1]}), _files({"a": [1]}).assign(Metadata_Plate="Q")])
    files = files.assign(Time=[0, 1, 2, 5], Path=list("abcd"))
    kept, (note,) = first_time_point(files)
    assert kept["Path"].tolist() == ["a", "d"]
    assert note.startswith("2 images of 2 later time points are left out: time lapse")
    assert first_time_point(kept) == (kept, ())


def test_fields_without_the_first_time_point_are_told() -> None:
    files = pd.concat([_files({"a": [1, 1]}), _files({"a": [1]}).assign(Metadata_Well="A02")])
    kept, notes = first_time_point(files.assign(Time=[1, 2, 2]))
    assert kept["Metadata_Well"].tolist() == ["A01"]
    told = "left out with them: 1 field without an image of their plate's first time point, such as P/A02/1"
    assert notes[1] == told
