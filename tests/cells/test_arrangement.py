"""Wells whose channels stand in another order than the rest of their plate's."""

import numpy as np
import pandas as pd
import pytest

from cellssl.cells import check_crops
from cellssl.crops import CropBatch, write_crops

CHANNELS = ["DNA", "Tubulin", "Actin"]
WELLS = [f"{row}{column:02d}" for row in "AB" for column in range(1, 5)]


@pytest.fixture
def told(tmp_path, caplog):
    """Eight wells of ten cells; the channels of some are put into an order, or changed otherwise."""

    def check(change, wells, places=WELLS):
        random = np.random.default_rng(0)
        axis = np.arange(24) - 11.5
        apart = np.hypot(axis[:, None], axis)
        stains = [900 * (apart < 5), 300 * (apart < 11), 500 * (apart > 4) * (apart < 9) + 40]
        names = np.repeat(places, 10)
        images = np.stack(stains) * random.uniform(0.7, 1.4, (len(names), 3, 1, 1)) + 100
        images = (images + random.normal(0, 15, images.shape)).clip(0).astype(np.uint16)
        for row in np.flatnonzero(np.isin(names, wells)):
            images[row] = change(images[row])
        obs = pd.DataFrame({"Metadata_Plate": "P1", "Metadata_Well": names, "Area_Nucleus": 80.0})
        obs.index = [f"P1/{well}/{n}" for n, well in enumerate(names)]
        batch = CropBatch(images, None, obs)
        path = tmp_path / "crops.h5ad"
        check_crops(write_crops(path, [batch], channels=CHANNELS, size=24, provenance={}))
        return [text.split(". Were")[0] for text in caplog.messages if "does elsewhere" in text]

    return check


def test_a_plate_as_it_should_be_is_not_told(told):
    assert not told(lambda image: image, [])


def test_a_treatment_that_takes_a_stain_away_or_adds_to_it_is_not_told(told):
    assert not told(
        lambda image: image // np.array([1, 1, 4])[:, None, None].astype(np.uint16), "A02"
    )
    assert not told(lambda image: image[[0, 1, 0]], ["A02", "B03"])  # it goes to the nucleus


@pytest.mark.parametrize(("order", "pair"), [([1, 0, 2], (0, 1)), ([0, 2, 1], (1, 2))])
@pytest.mark.parametrize("wells", [["B02"], WELLS[5:]])
def test_wells_of_another_order_are_told(told, order, pair, wells):
    (text,) = told(lambda image: image[order], wells)
    one, other = (CHANNELS[number] for number in pair)
    assert text == (
        f"plate P1: in {', '.join(wells[:-1])}{' and ' * (len(wells) > 1)}{wells[-1]}, {one} looks as {other} does "
        f"elsewhere and {other} looks as {one} does elsewhere"
    )


def test_so_few_wells_do_not_tell(told):
    assert not told(lambda image: image[::-1], ["A02"], places=WELLS[:4])
