from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from cellssl.errors import CellsslError
from cellssl.plates import FieldError, read_field, read_planes


def _image(path: Path, image: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, image, **options)
    return path


def _png(path: Path) -> Path:
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(path)
    return path


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    image = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
    return [_image(tmp_path / "dna.tif", image), _image(tmp_path / "gfp.tif", image + 1)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_field_keeps_its_dtype_and_pixels(tmp_path: Path, dtype: type) -> None:
    image = np.arange(12, dtype=dtype).reshape(3, 4)
    field = read_field([_image(tmp_path / "a.tif", image), _image(tmp_path / "b.tif", image + 1)])
    assert field.dtype == dtype
    np.testing.assert_array_equal(field, np.stack([image, image + 1]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pngs_keep_dtype_and_pixels(tmp_path: Path, dtype: type) -> None:
    image = np.linspace(0, np.iinfo(dtype).max, 12).astype(dtype).reshape(3, 4)
    Image.fromarray(image).save(tmp_path / "a.PNG", format="PNG")
    field = read_field([tmp_path / "a.PNG"])
    assert field.dtype == dtype
    np.testing.assert_array_equal(field, image[None])


def test_pngs_are_projected(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 2**16, (3, 5, 4), np.uint16)
    for number, image in enumerate(stack):
        Image.fromarray(image).save(tmp_path / f"z{number}.png")
    for projection, expected in (("max", stack.max(0)), ("mean", stack.mean(0).round())):
        field = read_field([f"{tmp_path}/z{{0|1|2}}.png::{projection}"])
        np.testing.assert_array_equal(field[0], expected)


def test_pngs_that_are_no_plane_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    with pytest.raises(FieldError, match=r"a\.png is no grey PNG of 8 or 16 bits .*RGB"):
        read_field([path])
    Image.fromarray(noise[..., 0]).save(path)
    whole = path.read_bytes()
    for size in (40, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(FieldError, match=r"a\.png cannot be read as a PNG"):
            read_field([path])
    path.write_bytes(b"")
    with pytest.raises(FieldError, match=r"a\.png is empty"):
        read_field([path])
    with pytest.raises(FieldError, match=r"b\.png is not there"):
        read_field([tmp_path / "b.png"])
    with pytest.raises(FieldError, match="asks for page 3: a PNG holds one picture"):
        read_field([f"{_png(tmp_path / 'c.png')}::page=3"])


def test_channels_come_in_the_order_asked_for(pair: list[Path]) -> None:
    row = pd.Series({"Metadata_Well": "A01", "Path_DNA": str(pair[0]), "Path_GFP": str(pair[1])})
    assert read_field(row, ("GFP", "DNA"))[:, 0, 0].tolist() == [1, 0]
    assert read_field(row)[:, 0, 0].tolist() == [0, 1]
    assert read_field({"GFP": pair[1]}, ["GFP"]).shape == (1, 64, 48)
    with pytest.raises(FieldError, match="no channel 'RFP'; it has DNA, GFP"):
        read_field(row, ["RFP"])
    with pytest.raises(FieldError, match="got 2 paths of a field, wanted 3"):
        read_field(pair, ["a", "b", "c"])


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_truncated_file_is_named(tmp_path: Path, compression: str | None, share: float) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (64, 64)).astype(np.uint16)
    path = _image(tmp_path / "cut.tif", image, compression=compression, rowsperstrip=16)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(FieldError, match=r"cut\.tif"):
        read_field([path])


@pytest.mark.parametrize("seed", range(60))
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 4000, (32, 32)).astype(np.uint16)
    path = _image(tmp_path / "bad.tif", image, compression="zlib")
    raw = bytearray(path.read_bytes())
    for position in rng.integers(4, len(raw), 60):
        raw[position] = rng.integers(256)
    raw[4:8] = raw[4:8] if seed % 2 else rng.bytes(4)
    path.write_bytes(bytes(raw))
    with suppress(CellsslError):  # some damage changes nothing but pixels
        read_field([path])


def test_files_that_are_no_image_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.tif").write_text("not an image at all")
    for name, why in [("empty", "0 bytes"), ("text", "cannot be read"), ("gone", "not there")]:
        with pytest.raises(FieldError, match=rf"{name}\.tif.*{why}"):
            read_field([tmp_path / f"{name}.tif"])
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(FieldError, match=r"folder\.tif"):
        read_field([tmp_path / "folder.tif"])


@pytest.mark.parametrize(
    ("shape", "options", "why"),
    [
        ((16, 16, 3), {"photometric": "rgb"}, "colour"),
        ((3, 16, 16), {"photometric": "rgb", "planarconfig": "separate"}, "colour"),
        ((5, 16, 16), {"photometric": "minisblack"}, "5 pages"),
    ],
)
def test_only_one_grey_plane_is_a_channel(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, str], why: str
) -> None:
    path = _image(tmp_path / "many.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(FieldError, match=rf"many\.tif.*{why}"):
        read_field([path])


def test_channels_of_a_field_must_agree(tmp_path: Path, pair: list[Path]) -> None:
    small = _image(tmp_path / "small.tif", np.zeros((32, 48), np.uint16))
    bytes_ = _image(tmp_path / "bytes.tif", np.zeros((64, 48), np.uint8))
    with pytest.raises(FieldError, match=r"small\.tif is 32 × 48 pixels, but dna\.tif.*64 × 48"):
        read_field([pair[0], small])
    signed = _image(tmp_path / "signed.tif", np.zeros((64, 48), np.int16))
    with pytest.raises(FieldError, match=r"signed\.tif is int16, but dna\.tif.*uint16.*--channel"):
        read_field([pair[0], signed])
    assert read_field([pair[0], bytes_]).dtype == np.uint16


def test_channels_of_8_and_16_bits_keep_their_grey_values(tmp_path: Path) -> None:
    narrow = np.arange(64, dtype=np.uint8).reshape(8, 8) + 192
    wide = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    paths = [_image(tmp_path / "narrow.tif", narrow), _image(tmp_path / "wide.tif", wide)]
    np.testing.assert_array_equal(read_field(paths), np.stack([narrow.astype(np.uint16), wide]))
    assert [plane.dtype for plane in read_planes(paths)] == [np.uint8, np.uint16]


def test_compressed_and_big_tiffs_are_read(tmp_path: Path) -> None:
    image = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    for number, options in enumerate(
        [{"compression": "lzw"}, {"bigtiff": True}, {"tile": (32, 32), "compression": "zlib"}]
    ):
        path = _image(tmp_path / f"{number}.tif", image, **options)
        np.testing.assert_array_equal(read_field([path])[0], image)


def test_smaller_copies_behind_an_image_are_no_stack(tmp_path: Path) -> None:
    image = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        for step in (1, 2, 4):
            file.write(image[::step, ::step], subfiletype=int(step > 1))
    np.testing.assert_array_equal(read_field([tmp_path / "pyramid.tif"])[0], image)


def test_white_is_0_as_the_writer_means_it(tmp_path: Path) -> None:
    image = np.arange(64, dtype=np.uint16).reshape(8, 8)
    path = _image(tmp_path / "white.tif", image, photometric="miniswhite")
    np.testing.assert_array_equal(read_field([path])[0], 65535 - image)
    # ImageJ's inverting look-up table is for the eye alone: its values stay what they were.
    about = "ImageJ=1.54f\nmin=0.0\nmax=63.0\n"
    path = _image(tmp_path / "ij.tif", image, photometric="miniswhite", description=about)
    np.testing.assert_array_equal(read_field([path])[0], image)


def test_pixels_of_12_bits_lie_close(tmp_path: Path) -> None:
    image = np.arange(64, 128, dtype=np.uint16).reshape(8, 8)
    high, low = image.reshape(-1, 2).T
    both = np.stack([high >> 4, (high & 15) << 4 | low >> 8, low & 255], axis=1).astype(np.uint8)
    path = _image(tmp_path / "close.tif", both.reshape(8, 12))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["ImageWidth"].overwrite(8)
        file.pages.first.tags["BitsPerSample"].overwrite(12)
    np.testing.assert_array_equal(read_field([path])[0], image)


def test_more_pixels_declared_than_held(tmp_path: Path) -> None:
    path = _image(tmp_path / "tall.tif", np.ones((32, 32), np.uint16), rowsperstrip=8)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["ImageLength"].overwrite(8_519_712)
    with pytest.raises(FieldError, match=r"tall\.tif is damaged.*8,519,712 × 32 pixels"):
        read_field([path])
