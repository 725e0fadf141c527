import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellssl.datasets.decoding import PictureError, decode, look_at, open_bytes, strict_decoding

from .makers import noise, png


def _saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _decoded(data, size):
    image = open_bytes(data)
    kind = look_at(image).kind
    return kind, decode(image, kind, size)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_lossless_colour_arrives_unchanged_channels_first(form):
    pixels = noise(0)
    kind, found = _decoded(_saved(Image.fromarray(pixels), form), 8)
    assert kind == "colour"
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


def test_grey_and_black_and_white_have_one_channel():
    pixels = noise(0, (8, 8))
    kind, found = _decoded(png(pixels), 8)
    assert kind == "grey"
    np.testing.assert_array_equal(found, pixels[None])
    bits = (pixels > 127).astype(np.uint8) * 255
    kind, found = _decoded(_saved(Image.fromarray(bits > 0), "PNG"), 8)
    assert kind == "grey"
    np.testing.assert_array_equal(found, bits[None])


def test_grey_among_colour_is_repeated():
    pixels = noise(0, (8, 8))
    found = decode(open_bytes(png(pixels)), "colour", 8)
    np.testing.assert_array_equal(found, np.stack([pixels] * 3))


def test_a_palette_is_looked_up():
    pixels = np.array([[[200, 10, 0], [0, 0, 255]], [[0, 0, 255], [9, 8, 7]]], np.uint8)
    kind, found = _decoded(_saved(Image.fromarray(pixels).quantize(3), "PNG"), 2)
    assert kind == "colour"
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


def test_what_is_transparent_is_white():
    pixels = noise(0, (4, 4, 4))
    pixels[..., 3] = 255
    pixels[0, :, 3] = 0
    pixels[1, :] = (0, 0, 0, 51)
    kind, found = _decoded(png(pixels), 4)
    assert kind == "colour"
    assert (found[:, 0] == 255).all()
    assert (found[:, 1] == 204).all()  # a fifth black on white: 255 · 0.8
    np.testing.assert_array_equal(found[:, 2:], pixels[2:, :, :3].transpose(2, 0, 1))
    grey = np.dstack([noise(1, (4, 4)), np.zeros((4, 4), np.uint8)])
    kind, found = _decoded(png(grey), 4)
    assert kind == "grey"
    assert (found == 255).all()


def test_cmyk_becomes_rgb():
    ink = Image.new("CMYK", (4, 4), (255, 0, 0, 0))  # cyan: all but red
    kind, found = _decoded(_saved(ink, "JPEG", quality=100), 4)
    assert kind == "colour"
    assert found[0].max() < 5
    assert found[1:].min() > 250


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_stays(form):
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    kind, found = _decoded(_saved(Image.fromarray(pixels), form), 8)
    assert (kind, found.dtype) == ("grey16", np.uint16)
    np.testing.assert_array_equal(found, pixels[None])


def test_16_bit_grey_of_the_other_byte_order_stays():
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 8)).astype(np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, byteorder=">")
    kind, found = _decoded(stream.getvalue(), 8)
    assert kind == "grey16"
    np.testing.assert_array_equal(found, pixels[None])


def test_16_bits_are_resized_within_their_range():
    pixels = np.kron([[0, 65535], [65535, 0]], np.ones((32, 32))).astype(np.uint16)
    _, deep = _decoded(_saved(Image.fromarray(pixels), "PNG"), 16)
    _, flat = _decoded(png((pixels // 257).astype(np.uint8)), 16)
    assert (
        abs(deep.astype(float) / 257 - flat).max() <= 4
    )  # 8 bits are rounded and clipped between two passes
    assert (deep.min(), deep.max()) == (0, 65535)


# Sides at which torchvision, which rounds the longer side and the middle to pixels, need not round.
@pytest.mark.parametrize("shape", [(40, 80), (96, 32), (20, 20), (8, 16)])
def test_resizing_is_torchvisions_resize_and_centre_crop(shape):
    transforms = pytest.importorskip("torchvision.transforms.v2")
    image = Image.fromarray(noise(3, (*shape, 3)))
    resize = transforms.Resize(16, transforms.InterpolationMode.BICUBIC)
    theirs = np.asarray(transforms.CenterCrop(16)(resize(image)))
    _, ours = _decoded(_saved(image, "PNG"), 16)
    np.testing.assert_array_equal(ours.transpose(1, 2, 0), theirs)


def test_the_middle_is_kept_to_a_fraction_of_a_pixel():
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (40, 1))  # 100 × 40 px, slope 2
    _, found = _decoded(png(ramp), 16)
    middle = found[0].mean(axis=0)
    assert middle.mean() == pytest.approx(ramp.mean(), abs=0.5)
    assert np.diff(middle) == pytest.approx(2 * 40 / 16, abs=1)


def test_shrinking_averages_instead_of_picking():
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    _, found = _decoded(png(board), 8)
    assert np.abs(found.astype(int) - 127).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    "entry",
    [
        (),
        (0x0128, 4, 1, 70_000),  # a unit of resolution that no camera writes
        (0x0131, 12, 1, 0),  # the software's name as a number
    ],
)
def test_a_turned_photograph_is_upright(entry, kind):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # left half white
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2 if entry else 1)
    # Held so that it must be turned a quarter clockwise.
    exif += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif += (struct.pack("<HHII", *entry) if entry else b"") + bytes(12)
    image = open_bytes(_saved(Image.fromarray(pixels), kind, exif=exif, quality=95))
    look = look_at(image)
    assert (look.width, look.height) == (16, 32)
    found = decode(image, "colour", 16)  # the middle: the white half lies on top
    assert found[:, :7].min() > 240
    assert found[:, 9:].max() < 15


@pytest.mark.parametrize("cut", [5, 40, -20])
def test_a_cut_picture_is_a_picture_error(cut):
    data = _saved(Image.fromarray(noise(0, (64, 64, 3))), "JPEG")[:cut]
    with pytest.raises(PictureError, match=r"broken"):
        _decoded(data, 64)


def test_broken_exif_means_upright():
    data = _saved(Image.fromarray(noise(0)), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    with strict_decoding():
        assert _decoded(data, 8)[1].shape == (3, 8, 8)


def test_what_uint8_cannot_hold_is_refused():
    deep = io.BytesIO()
    tifffile.imwrite(deep, np.zeros((8, 8, 3), np.uint16), photometric="rgb")
    with pytest.raises(PictureError, match="16 bits in several channels"):
        look_at(open_bytes(deep.getvalue()))
    floats = io.BytesIO()
    tifffile.imwrite(floats, np.zeros((8, 8), np.float32))
    with pytest.raises(PictureError, match=r"mode 'F', wanted 8-bit"):
        look_at(open_bytes(floats.getvalue()))


def test_a_stack_is_refused_with_the_way_for_plates():
    stack = io.BytesIO()
    tifffile.imwrite(stack, np.zeros((5, 8, 8), np.uint8), photometric="minisblack")
    with pytest.raises(PictureError, match=r"5 pages .* `cellssl plates index`"):
        look_at(open_bytes(stack.getvalue()))


@pytest.mark.parametrize("limit", [40, 60])  # more than twice the limit, and more than the limit
def test_a_decompression_bomb_is_refused(monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with strict_decoding(), pytest.raises(PictureError, match=rf"more than {limit} pixels.*bomb"):
        open_bytes(png(noise(0, (10, 10))))


def test_other_formats_are_named_by_what_is_read():
    with pytest.raises(PictureError, match="no JPEG, PNG, TIFF or BMP"):
        open_bytes(_saved(Image.fromarray(noise(0)), "GIF"))
