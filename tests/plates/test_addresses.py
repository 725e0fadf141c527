import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, strategies as st

from cellssl.errors import PlateError
from cellssl.plates import FieldError, files_of, read_field
from cellssl.plates.addresses import Address, Plane, plane_address, project

PATHS = st.text("ab/1 _.-()é,=:", min_size=1, max_size=12).map(lambda text: f"/p/{text}x")


@pytest.mark.parametrize(
    ("text", "planes", "projection"),
    [
        ("/p/A01.tif", [Plane(Path("/p/A01.tif"))], None),
        ("/p/a.ome.tif::page=3", [Plane(Path("/p/a.ome.tif"), page=3)], None),
        ("/p/a.zarr/0::at=0,12,5", [Plane(Path("/p/a.zarr/0"), at=(0, 12, 5))], None),
        ("/p/a.zarr/0::at=", [Plane(Path("/p/a.zarr/0"), at=())], None),
        ("/p/z{1|20}.tif::max", [Plane(Path("/p/z1.tif")), Plane(Path("/p/z20.tif"))], "max"),
        (
            "/p/a.tif::page={0|4}::mean",
            [Plane(Path("/p/a.tif"), page=0), Plane(Path("/p/a.tif"), page=4)],
            "mean",
        ),
        ("/p/{odd}.tif", [Plane(Path("/p/{odd}.tif"))], None),
        ("/p/odd::name.tif", [Plane(Path("/p/odd::name.tif"))], None),
        ("/p/odd::max", [Plane(Path("/p/odd::max"))], None),
    ],
)
def test_addresses_are_read(text: str, planes: list[Plane], projection: str | None) -> None:
    assert Address.parse(text) == Address(tuple(planes), projection)


@given(PATHS, st.none() | st.integers(0, 99), st.none() | st.lists(st.integers(0, 99)))
def test_what_is_built_is_read_back(path: str, page: int | None, at: list[int] | None) -> None:
    if at is not None:
        page = None
    text = plane_address(path, page=page, at=at)
    plane = Plane(Path(path), page, None if at is None else tuple(at))
    assert Address.parse(text) == Address((plane,))


@given(st.lists(PATHS, min_size=2, max_size=5, unique=True), st.sampled_from(["max", "mean"]))
def test_projections_are_read_back(paths: list[str], projection: str) -> None:
    text = project(paths, projection)
    assert Address.parse(text) == Address(tuple(Plane(Path(path)) for path in paths), projection)


def test_the_common_part_stands_once() -> None:
    names = [f"/plate/Images/r01c01f01p{plane:02}-ch1.tiff" for plane in range(1, 12)]
    text = project(names, "max")
    assert text.startswith("/plate/Images/r01c01f01p{01|02|")
    assert text.endswith("|11}-ch1.tiff::max")
    assert project(names[:1], "max") == names[0]
    pages = [plane_address("/p/a.tif", page=page) for page in (0, 2)]
    assert project(pages, "mean") == "/p/a.tif::page={0|2}::mean"


def test_names_that_would_be_read_otherwise_are_refused() -> None:
    with pytest.raises(PlateError, match="rename the files"):
        project(["/p/a{1}.tif", "/p/a{2}.tif"], "max")
    with pytest.raises(PlateError, match="ends like the address"):
        plane_address("/p/a.tif::page=3")
    with pytest.raises(PlateError, match="ends like the address"):
        plane_address("/p/{a|b}::max")


def test_files_behind_an_address(tmp_path: Path) -> None:
    assert files_of(Path("/p/a.tif::page=1")) == [Path("/p/a.tif::page=1")]
    assert files_of("/p/a.tif::page={1|2}::max") == [Path("/p/a.tif")]
    assert files_of("/p/z{1|2}.tif::max") == [Path("/p/z1.tif"), Path("/p/z2.tif")]
    assert files_of(f"{tmp_path}/gone::at=0") == [tmp_path / "gone"]


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Path, np.ndarray]:
    pixels = np.random.default_rng(1).integers(0, 65_535, (4, 16, 12)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    return tmp_path / "a.tif", pixels


def test_pages_and_projections_are_read(stack: tuple[Path, np.ndarray]) -> None:
    path, pixels = stack
    channels = [f"{path}::page=2", f"{path}::page={{0|3}}::max", f"{path}::page={{0|1|3}}::mean"]
    expected = [pixels[2], pixels[[0, 3]].max(0), np.rint(pixels[[0, 1, 3]].mean(0))]
    read = read_field(channels)
    assert read.dtype == np.uint16
    np.testing.assert_array_equal(read, np.stack(expected).astype(np.uint16))


@pytest.mark.parametrize("projection", ["max", "mean"])
def test_projections_hold_few_planes_in_memory(tmp_path: Path, projection: str) -> None:
    plane = np.ones((512, 512), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([plane] * 40), photometric="minisblack")
    pages = "|".join(map(str, range(40)))
    tracemalloc.start()
    read_field([f"{tmp_path}/a.tif::page={{{pages}}}::{projection}"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * plane.nbytes  # a mean adds up in float64: 4 of them


def test_mean_of_floats_is_not_rounded(tmp_path: Path) -> None:
    for number in (0, 1):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.full((2, 2), number, np.float32))
    read = read_field([f"{tmp_path}/{{0|1}}.tif::mean"])
    assert read.dtype == np.float32
    assert (read == 0.5).all()


def test_what_is_not_there_is_named(stack: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, _ = stack
    with pytest.raises(FieldError, match=r"page=4 asks for page 4, but the file's last is 3"):
        read_field([f"{path}::page=4"])
    with pytest.raises(FieldError, match=r"holds 4 pages.*ome-tiff"):
        read_field([path])
    with pytest.raises(FieldError, match=r"b\.tif is not there"):
        read_field([f"{tmp_path}/{{a.tif::page=0|b.tif}}::max"])
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((16, 13), np.uint16))
    with pytest.raises(FieldError, match=r"c\.tif is 16 × 13 uint16, but a\.tif.*must be alike"):
        read_field([f"{tmp_path}/{{a.tif::page=0|c.tif}}::max"])
    with pytest.raises(FieldError, match="gone is not there"):
        read_field([f"{tmp_path}/gone::at=0"])


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("shards", [None, (2, 1, 16, 12)])
def test_planes_of_zarr(tmp_path: Path, form: int, shards: tuple[int, ...] | None) -> None:
    if form == 2 and shards:
        pytest.skip("version 2 has no shards")
    pixels = np.random.default_rng(2).integers(1, 65_535, (2, 3, 16, 12)).astype(np.uint16)
    folder = tmp_path / "a.zarr"
    options = {"shards": shards} if shards else {}
    array = zarr.create_array(
        folder, shape=pixels.shape, chunks=(1, 1, 8, 12), dtype="u2", zarr_format=form, **options
    )
    array[:] = pixels
    address = f"{folder}::at=1,2"
    np.testing.assert_array_equal(read_field([address])[0], pixels[1, 2])
    np.testing.assert_array_equal(
        read_field([f"{folder}::at=0,{{0|1|2}}::max"])[0], pixels[0].max(0)
    )
    metadata, *chunks = files_of(address)
    assert metadata.name == ("zarr.json" if form == 3 else ".zarray")
    assert len(chunks) == (1 if shards else 2)
    with pytest.raises(FieldError, match=r"at=1,3 is no plane of this array.*\(2, 3, 16, 12\)"):
        read_field([f"{folder}::at=1,3"])
    with pytest.raises(FieldError, match="at=1 is no plane"):
        read_field([f"{folder}::at=1"])
    chunks[0].write_bytes(b"\xff" * 20)
    with pytest.raises(FieldError, match="cannot be read as Zarr"):
        read_field([address])
    for chunk in chunks:
        chunk.unlink()
    with pytest.raises(FieldError, match="none of its chunks is there"):
        read_field([address])
    metadata.write_text("{")
    assert files_of(address) == [metadata]
    with pytest.raises(FieldError, match="cannot be read as Zarr"):
        read_field([address])
