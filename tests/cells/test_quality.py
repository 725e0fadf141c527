from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cellssl.cells import REASONS, check_crops, clean_crops
from cellssl.cells.quality.dust import find_dust
from cellssl.cells.quality.judging import (
    CELL_REASONS,
    FIELD_REASONS,
    dull_plates,
    judge_cells,
    judge_field,
)
from cellssl.cells.quality.measures import (
    measure_cells,
    measure_field,
    middle,
    quality_columns,
    saturation_level,
)
from cellssl.cells.quality.usual import Usual
from cellssl.cells.remarks import _dull, _overexposed
from cellssl.crops import CropBatch, Crops, join_crops, write_crops
from cellssl.crops.copying import copy_crops
from cellssl.errors import CropError


def cells(number: int, *, seed: int = 0, size: int = 48) -> np.ndarray:
    """Blobs with some texture in two channels, and a camera's noise: (n, 2, S, S) uint16."""
    random = np.random.default_rng(seed)
    yy, xx = np.mgrid[:size, :size] - size / 2
    blob = (yy**2 + xx**2 < (size / 4) ** 2).astype(float)
    texture = ndimage.gaussian_filter(random.normal(size=(number, 2, size, size)), (0, 0, 1, 1))
    light = ndimage.gaussian_filter(blob, 1) * (3000 + 4000 * texture)
    return (500 + light + random.normal(0, 30, light.shape)).clip(0).astype(np.uint16)


def measured(images: np.ndarray) -> np.ndarray:
    return measure_cells(images, [saturation_level(images[:, c]) for c in range(2)])


def usual(images: np.ndarray) -> Usual:
    return Usual.of(
        np.full(len(images), 100.0), measured(images), np.zeros((0, 2)), ["DNA", "Actin"]
    )


def test_measures_mean_what_they_say():
    good, random = cells(20), np.random.default_rng(1)
    noise = random.normal(1000, 100, good.shape).astype(np.uint16)
    blurred = ndimage.gaussian_filter(good, (0, 0, 3, 3))
    names = quality_columns(["DNA", "Actin"])
    tables = [pd.DataFrame(measured(x), columns=names) for x in (good, noise, blurred)]
    of_noise = [table["Quality_Noise_DNA"].median() for table in tables]
    assert of_noise[0] < 0.1
    assert of_noise[1] == pytest.approx(1, abs=0.05)
    sharp = [table["Quality_Sharpness_DNA"].median() for table in tables]
    assert sharp[2] < 0.4 * sharp[0]
    assert (tables[0].filter(like="Saturated") == 0).all(axis=None)


@pytest.mark.parametrize(
    ("blur", "light", "least", "most"),
    [(0, 0.2, 0.9, 1.1), (3, 1, 0, 0.2), (5, 0.5, 0, 0.2), (7, 1, 0, 0.2)],
)
def test_noise_is_not_taken_for_detail(blur, light, least, most):
    """A camera's noise does not blur with the field, and is the larger part of a dim one."""
    noise = np.random.default_rng(1).normal(0, 150, (20, 2, 48, 48))
    seen = ndimage.gaussian_filter(cells(20).astype(float), (0, 0, blur, blur)) * light
    sharp = [measured(image)[:, 2:4].mean() for image in (cells(20) + noise, seen + noise)]
    assert least < sharp[1] / sharp[0] < most


def test_a_flat_picture_is_nothing_but_noise():
    flat = np.full((3, 2, 24, 24), 7, np.uint8)
    table = measured(flat)
    assert np.isfinite(table).all()
    assert (table[:, :2] == 1).all()
    assert measure_cells(flat[:0], [np.inf] * 2).shape == (0, 6)


@pytest.mark.parametrize(
    ("top", "dtype", "level"),
    [
        (255, np.uint8, 255),
        (4095, np.uint16, 4095),
        (65535, np.uint16, 65535),
        (4095 * 16, np.uint16, 65520),  # 12 bits at the upper end of 16
        (65521, np.uint16, np.inf),
        (4000, np.uint16, np.inf),
        (32767, np.int16, 32767),
        (1.0, np.float32, 1),  # of fractions
        (1.02, np.float32, np.inf),
        (1, np.uint16, np.inf),
    ],
)
def test_the_camera_s_end_is_known_by_its_value(top, dtype, level):
    assert saturation_level(np.array([[1, top]], dtype)) == level


def test_saturated_pixels_are_counted():
    image = np.zeros((1, 1, 24, 24), np.uint16)
    image[0, 0, :6] = 4095
    assert measure_cells(image, [4095])[0, 2] == 0.25
    background, share = measure_field(image[0], [4095])
    assert share.tolist() == [0.25]
    assert background.tolist() == [0]


def test_the_middle_of_a_crop():
    assert middle(96) == slice(24, 72)
    assert middle(68) == slice(17, 51)
    assert middle(30) == slice(3, 27)


def test_every_fault_is_told_from_a_good_cell():
    good = cells(60)
    normal = usual(good)
    faulty = good[:6].copy()
    faulty[2, 1] = np.random.default_rng(2).normal(1000, 100, (48, 48))  # one channel only
    faulty[3, 0, 8:40, 8:40] = 65535
    faulty[4] = ndimage.gaussian_filter(faulty[4], (0, 4, 4))
    areas = np.array([10.0, 900.0, 100, 100, 100, 100])
    reasons = judge_cells(areas, measured(faulty), normal)
    assert reasons.tolist() == ["fragment", "large", "noise", "saturated", "blurred", ""]
    assert (judge_cells(np.full(60, 100.0), measured(good), normal) == "").all()


def test_a_channel_that_is_dim_on_the_whole_plate_is_no_fault():
    dim = cells(60)
    dim[:, 1] = np.random.default_rng(3).normal(1000, 100, dim[:, 1].shape)
    assert (judge_cells(np.full(60, 100.0), measured(dim), usual(dim)) == "").all()


def duller(quality, nucleus, other):
    """Lower the sharpness of both channels."""
    return quality * np.array([1, 1, nucleus, other, 1, 1], np.float32)


def test_fields_are_judged_as_a_whole():
    good = cells(60)
    backgrounds = np.random.default_rng(4).normal(500, 20, (20, 2))
    normal = Usual.of(np.full(60, 100.0), measured(good), backgrounds, ["DNA", "Actin"])
    areas, light, none = np.full(10, 100.0), np.full(2, 500.0), np.zeros(2)
    blurred = measured(ndimage.gaussian_filter(good[:10], (0, 0, 3, 3)))

    sharp = measured(good[:10])

    def judged(areas=areas, quality=sharp, light=light, saturated=none):
        return judge_field(areas, quality, light, saturated, normal)

    assert judged() == ""
    assert judged(saturated=np.array([0, 0.1])) == "field_saturated"
    assert judged(areas=np.array([100.0] * 9 + [900])) == "field_debris"
    assert judged(quality=blurred) == "field_focus"
    assert judged(quality=blurred[:3], areas=areas[:3]) == ""
    # At 10x, out of focus by 4 px: nuclei keep 0.54 of their sharpness, all channels 0.39.
    assert judged(quality=duller(sharp, 0.54, 0.28)) == "field_focus"
    assert judged(quality=duller(sharp, 0.58, 0.56)) == ""
    assert judged(quality=duller(sharp, 0.7, 0.1)) == ""  # one channel alone is a phenotype
    assert judged(light=np.array([500.0, 2500])) == "field_illumination"
    assert judged(light=np.array([500.0, 100])) == "field_illumination"  # dim, but cells are seen
    unlit = good[:10].copy()
    unlit[:, 1] = np.random.default_rng(5).normal(50, 3, unlit[:, 1].shape)
    assert judged(quality=measured(unlit), light=np.array([500.0, 50])) == "field_dark"
    unlit[:, 1] = 0  # a file of a channel that was not taken
    assert judged(quality=measured(unlit), light=np.array([500.0, 0])) == "field_dark"
    assert judged(quality=measured(unlit)[:0], light=np.array([500.0, 0])) == "field_illumination"
    assert judged(light=np.array([500.0, 900])) == ""


def test_plates_out_of_focus_as_a_whole_are_told():
    """Their own medians are as dull as their cells, and drop none."""
    images = cells(60)
    plates = {
        "dull": usual(ndimage.gaussian_filter(images, (0, 0, 3, 3))),
        "sharp": usual(images),
        "dimmer": usual(images // 3),
        "empty": replace(usual(images), sharpness=np.zeros(2)),
    }
    sharpest, dull = dull_plates(plates)
    assert sharpest in ("sharp", "dimmer")
    assert list(dull) == ["dull"]
    (remark,) = _dull(sharpest, dull)
    assert f"times as sharp as those of plate {sharpest}: out of focus" in remark
    assert dull_plates({}) == ("", {})


def test_cells_that_lie_densely_are_no_dust():
    """Of a thousand nuclei in a corner of a field at 4x some lie at one place by chance."""
    grid = np.mgrid[:512:16, :512:16].reshape(2, -1).T
    random = np.random.default_rng(0)
    fields = [grid + random.uniform(0, 16, grid.shape) for _ in range(16)]
    assert find_dust(fields) is None
    assert find_dust([np.vstack([own, [70, 30]]) for own in fields]) == (70, 30, 16)


def test_overexposed_channels_are_told():
    """Their cells are kept: less than a quarter of each is full, and yet it is all of the nucleus."""
    images = cells(60)
    full = images.copy()
    full[:, 0] = np.where(images[:, 0] > np.quantile(images[:, 0], 0.9), 4095, images[:, 0] // 4)
    assert set(judge_cells(np.full(60, 100.0), measured(full), usual(full))) == {""}
    told = {"P1": usual(images).saturated, "P2": usual(full).saturated}
    (remark,) = _overexposed(told, ["DNA", "Actin"])
    assert remark.startswith("channel DNA of plate P2: in the usual cell 10 % of the pixels")
    assert not [*_overexposed({}, ["DNA", "Actin"])]


def write(path, images, plates):
    obs = pd.DataFrame({"Metadata_Plate": plates}, [f"{p}/{i}" for i, p in enumerate(plates)])
    batch = CropBatch(images, None, obs)
    return Crops.open(
        write_crops(
            path, [batch], channels=["DNA", "Actin"], size=48, provenance={"origin": "a test"}
        )
    )


def test_crops_from_elsewhere_are_checked_and_cleaned(tmp_path):
    images = cells(80)
    images[7, 0] = np.random.default_rng(5).normal(900, 90, (48, 48))
    crops = write(tmp_path / "crops.h5ad", images, ["P1"] * 30 + ["P2"] * 50)
    table = check_crops(crops)
    assert table.index.tolist() == crops.obs.index.tolist()
    assert table["Quality_Reason"].value_counts().to_dict() == {"": 79, "noise": 1}
    clean = Crops.open(clean_crops(crops, table, tmp_path / "clean.h5ad"))
    assert len(clean) == 79
    assert "P1/7" not in clean.obs.index
    np.testing.assert_array_equal(clean.read(7), crops.read(8))
    all_cells = clean_crops(crops, table, tmp_path / "all.h5ad", keep=["noise"])
    assert Crops.open(all_cells).obs["Quality_Reason"].iloc[7] == "noise"


def test_joined_crops_of_which_some_were_never_measured_are_checked_alike(tmp_path):
    images = cells(40)
    images[3, 0] = np.random.default_rng(5).normal(900, 90, (48, 48))
    ours = write(tmp_path / "ours.h5ad", cells(40), ["P1"] * 40)
    obs = ours.obs.join(check_crops(ours)).assign(Area_Nucleus=[1.0] + [100.0] * 39)
    measured = copy_crops(ours, tmp_path / "measured.h5ad", obs=obs, provenance={})
    others = write(tmp_path / "others.h5ad", images, ["P2"] * 40)
    table = check_crops(join_crops([measured, others], tmp_path / "joined.h5ad"))
    reasons = table["Quality_Reason"]
    assert reasons[reasons != ""].to_dict() == {"P1/0": "fragment", "P2/3": "noise"}
    assert table.notna().all(axis=None)


def test_reasons_are_said_in_one_order():
    assert list(REASONS) == ["border", *FIELD_REASONS, *CELL_REASONS]


def test_the_faulty_crops_of_bbbc021_are_found(data, tmp_path):
    # Faulty is a channel whose neighbouring pixels have little in common: 55 cells, 10 of them in
    # one or two channels only; no other cell's correlation is between 0.4 and 0.5.
    from cellssl.crops import import_crops

    folder = data / "bbbc021" / "crops"
    channels = ["DAPI", "Tubulin", "Actin"]
    crops = Crops.open(
        import_crops(folder / "crops.h5", folder / "cells.csv", tmp_path, channels=channels)
    )
    flat = crops.read().astype(np.float32)
    flat -= flat.mean((2, 3), keepdims=True)
    shared = (flat[..., 1:] * flat[..., :-1]).mean((2, 3)) / flat.var((2, 3))
    faulty = (shared < 0.5).any(axis=1)
    assert faulty.sum() == 55
    flagged = check_crops(crops)["Quality_Reason"].to_numpy() != ""
    assert flagged[faulty].all()
    assert flagged[~faulty].mean() < 0.01


def test_cleaning_keeps_what_is_known_and_refuses_what_is_no_reason(tmp_path):
    crops = write(tmp_path / "crops.h5ad", cells(30), ["P1"] * 30)
    table = check_crops(crops)
    with pytest.raises(CropError, match="did you mean 'noise'"):
        clean_crops(crops, table, tmp_path / "clean", keep=["nosie"])
    clean = Crops.open(clean_crops(crops, table, tmp_path / "clean"))
    assert clean.path.name == "crops.h5ad"
    assert clean.uns["cellssl"]["origin"] == "a test"


def test_backgrounds_of_fractions_are_told_apart_as_grey_values_are():
    good = cells(60)
    backgrounds = np.random.default_rng(4).normal(500, 20, (20, 2)) / 65535
    normal = Usual.of(np.full(60, 100.0), measured(good), backgrounds, ["DNA", "Actin"])
    areas, none = np.full(10, 100.0), np.zeros(2)
    for light, reason in ((2500, "field_illumination"), (600, "")):
        judged = judge_field(
            areas, measured(good[:10]), np.array([500, light]) / 65535, none, normal
        )
        assert judged == reason
