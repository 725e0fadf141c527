"""What is hidden: neighbours, background, boxes, channels."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from torch import Tensor
from torchvision.transforms import v2

from cellssl.augment import Operation, View

from .examples import CHANNELS, draws, keys, make, pictures, see

# The cell (1), two neighbours (2), one of them touching, and background.
MASK = torch.tensor(
    [
        [2, 2, 0, 0, 0, 0, 0, 0],
        [2, 2, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 2, 2, 0],
        [0, 0, 1, 1, 1, 2, 2, 0],
        [0, 0, 1, 1, 1, 2, 0, 0],
        [0, 0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    dtype=torch.uint8,
)
CROSS, SQUARE = (ndimage.generate_binary_structure(2, reach) for reach in (1, 2))


def hide(operation: Operation, images: Tensor, mask: Tensor = MASK) -> Tensor:
    masks = mask.expand(len(images), 1, *mask.shape)
    return View([operation], 8, masks=["cell"])(images, keys(len(images)), masks=masks)


def widened(region: Tensor, pixels: int) -> Tensor:
    wide = region.numpy()
    for step in range(pixels):
        wide = ndimage.binary_dilation(wide, SQUARE if step % 2 else CROSS)
    return torch.tensor(wide)


# --- masks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("grow", [0, 1, 2, 100])
def test_mask_background_keeps_the_cell_alone(grow: int) -> None:
    images = pictures(2, size=8)
    made = hide(make("mask_background", grow=grow, fill="black"), images)
    kept = widened(MASK == 1, grow)
    assert torch.equal(made, images * kept)


@pytest.mark.parametrize("grow", [0, 1, 2, 100])
def test_mask_neighbours_hides_others_but_never_the_cell(grow: int) -> None:
    images = pictures(2, size=8)
    made = hide(make("mask_neighbours", grow=grow, fill="black"), images)
    hidden = widened(MASK == 2, grow) & (MASK != 1)
    assert torch.equal(made, images * ~hidden)
    assert torch.equal(made[..., MASK == 1], images[..., MASK == 1])


@pytest.mark.parametrize("name", ["mask_background", "mask_neighbours"])
def test_the_fill_is_each_channels_background(name: str) -> None:
    images = pictures(2, size=8)
    made = hide(make(name), images)
    changed = (made != images).all(dim=1)
    level = torch.empty(2, 3)
    for number in range(2):
        for channel in range(3):
            empty = images[number, channel][MASK == 0]
            level[number, channel] = empty[empty <= empty.mean()].mean()
    for number in range(2):
        for channel in range(3):
            filled = made[number, channel][changed[number]]
            assert torch.allclose(filled, level[number, channel])
    assert changed[:, 0, 0].all()


@pytest.mark.parametrize("name", ["mask_background", "mask_neighbours"])
def test_without_background_the_fill_is_black(name: str) -> None:
    images = pictures(1, size=8)
    full = torch.where(MASK == 0, 2, MASK)
    made = hide(make(name), images, full)
    assert torch.equal(made, images * (MASK == 1))


def test_hiding_is_decided_for_each_sample() -> None:
    images = pictures(400, channels=1, size=8)
    made = hide(make("mask_neighbours", p=0.3, fill="black"), images)
    touched = (made != images).flatten(1).any(dim=1)
    assert abs(float(touched.float().mean()) - 0.3) < 0.09
    assert torch.equal(made[touched], images[touched] * (MASK != 2))


def test_masks_move_with_the_stored_crop_before_all_geometry() -> None:
    # The stored crop is larger than the view; what is hidden is hidden wherever it is turned to.
    images = torch.ones(16, 1, 8, 8)
    steps = [make("rotate", degrees=180.0), make("mask_background", fill="black")]
    view = View(steps, 6, masks=["cell"])
    made = view(images, keys(16), masks=MASK.expand(16, 1, 8, 8))
    alone = View(steps[:1], 6)(images * (MASK == 1), keys(16))
    assert torch.equal(made, alone)


@pytest.mark.parametrize(
    ("mask", "names", "layer"),
    [
        ("auto", ("nucleus", "cell"), 1),
        ("auto", ("cell", "nucleus"), 0),
        ("auto", ("nucleus",), 0),
        ("nucleus", ("nucleus", "cell"), 0),
        ("cell", ("nucleus", "cell"), 1),
    ],
)
def test_the_mask_is_found_by_name(mask: str, names: tuple[str, ...], layer: int) -> None:
    operation = make("mask_background", mask=mask, fill="black")
    masks = torch.zeros(2, len(names), 8, 8, dtype=torch.uint8)
    masks[:, layer] = MASK
    images = pictures(2, size=8)
    made = View([operation], 8, masks=names)(images, keys(2), masks=masks)
    assert torch.equal(made, images * (MASK == 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: View([make("mask_background")], 8), "needs masks; these crops have none"),
        (
            lambda: View([make("mask_neighbours", mask="cell")], 8, masks=["nucleus"]),
            "needs the cell mask; these crops have nucleus",
        ),
        (lambda: make("mask_background", mask="cel"), "did you mean 'cell'"),
        (lambda: make("mask_background", fill="grey"), "background or black, got 'grey'"),
        (lambda: make("mask_neighbours", grow=1.5), "a whole number from 0 to 128 px, got 1.5"),
        (
            lambda: View([make("mask_background")], 8, masks=["cell"])(
                pictures(2, size=8), keys(2)
            ),
            r"masks: got none, wanted \(2, 1, 8, 8\) for cell",
        ),
        (lambda: hide(make("mask_background"), pictures(2, size=9)), r"wanted \(2, 1, 9, 9\)"),
    ],
)
def test_missing_masks_are_told(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_view_asks_for_masks_only_where_it_uses_them() -> None:
    assert View([make("mask_background")], 8, masks=["cell"]).needs_masks
    idle = View([make("mask_background", p=0.0)], 8, masks=["cell"])
    assert not idle.needs_masks
    assert torch.equal(idle(pictures(2, size=8), keys(2)), pictures(2, size=8))
    assert not View([], 8, masks=["cell"]).needs_masks


# --- boxes ----------------------------------------------------------------------------------


def test_erase_fills_a_box_that_lies_in_the_view() -> None:
    images = pictures(200, size=64) * 0.5 + 0.25
    operation = make("erase", area=(0.05, 0.3))
    made = see(operation, images)
    gone = (made == 0).all(dim=1)
    assert torch.equal(made, images * ~gone[:, None])
    along, down = gone.any(dim=1), gone.any(dim=2)
    assert torch.equal(gone, along[:, None] & down[:, :, None])  # a box …
    for side in (along, down):  # … without a gap
        assert (side.int().diff(dim=1).abs().sum(dim=1) <= 2).all()
    params = operation.parameters(draws("erase", count=200))
    area = (params["width"] * params["height"])[:, 0]
    assert torch.allclose(gone.float().mean(dim=(1, 2)), area, atol=0.02)
    assert (params["x"].abs() + params["width"] / 2 <= 0.5 + 1e-6).all()
    assert (params["y"].abs() + params["height"] / 2 <= 0.5 + 1e-6).all()


def test_erase_draws_boxes_as_torchvision() -> None:
    options = {"scale": (0.02, 0.33), "ratio": (0.3, 3.3)}
    params = make("erase", area=options["scale"], ratio=options["ratio"]).parameters(draws("erase"))
    torch.manual_seed(0)  # torchvision draws from the global generator
    erasing = v2.RandomErasing(p=1.0, **options)
    boxes = [erasing.make_params([torch.empty(3, 1000, 1000)]) for _ in range(3000)]
    theirs = {key: np.array([box[key] for box in boxes]) / 1000 for key in ("h", "w", "i", "j")}
    width, height = params["width"][:, 0].numpy(), params["height"][:, 0].numpy()
    pairs = {
        "area": (width * height, theirs["w"] * theirs["h"]),
        "ratio": (np.log(width / height), np.log(theirs["w"] / theirs["h"])),
        "left": (params["x"][:, 0].numpy() - width / 2 + 0.5, theirs["j"]),
        "top": (params["y"][:, 0].numpy() - height / 2 + 0.5, theirs["i"]),
    }
    for ours, other in pairs.values():
        assert stats.ks_2samp(ours, other).pvalue > 1e-4


@pytest.mark.parametrize("area", [0.5, 0.9])
def test_erased_boxes_of_any_area_fit(area: float) -> None:
    params = make("erase", area=(area, area), ratio=(0.1, 10.0)).parameters(draws("erase"))
    assert torch.allclose(params["width"] * params["height"], torch.tensor(area))
    assert max(params["width"].max(), params["height"].max()) <= 1 + 1e-6


def test_the_box_holds_its_value() -> None:
    made = see(make("erase", area=(0.9, 0.9), ratio=(1, 1), value=0.25), torch.ones(2, 3, 32, 32))
    assert ((made == 0.25) | (made == 1)).all()
    assert float((made == 0.25).float().mean()) == pytest.approx(0.9, abs=0.05)


# --- channels -------------------------------------------------------------------------------


def test_exactly_one_channel_drops_out_each_as_likely() -> None:
    images = pictures(3000, channels=4, size=2) * 0.5 + 0.5
    made = see(make("channel_dropout", value=0.25), images)
    gone = (made == 0.25).all(dim=(2, 3))
    assert (gone.sum(dim=1) == 1).all()
    assert torch.equal(made[~gone], images[~gone])
    assert stats.chisquare(gone.sum(dim=0).numpy()).pvalue > 1e-4


def test_only_named_channels_drop_out() -> None:
    images = pictures(50, channels=4, size=8) * 0.5 + 0.5
    operation = make("channel_dropout", channels=["ER", "Tubulin"])
    gone = (see(operation, images, channels=CHANNELS) == 0).all(dim=(2, 3))
    assert gone.any(dim=0).tolist() == [False, True, False, True]
    assert (gone.sum(dim=1) == 1).all()


def test_the_only_channel_never_drops_out() -> None:
    images = pictures(20, channels=1, size=8)
    operation = make("channel_dropout")
    assert torch.equal(see(operation, images), images)
    assert operation.caveats(1) == ["channel_dropout is left out on 1 channel"]
    assert operation.caveats(2) == []


def test_every_order_of_channels_is_as_likely() -> None:
    images = torch.tensor([0.1, 0.2, 0.3])[:, None, None].expand(6000, 3, 2, 2)
    made = see(make("channel_shuffle"), images)[:, :, 0, 0]
    orders, counts = made.unique(dim=0, return_counts=True)
    assert len(orders) == 6
    assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_shuffled_channels_are_whole_pictures() -> None:
    images = pictures(20, channels=4, size=8)
    operation = make("channel_shuffle", channels=["DAPI", "Actin", "ER"])
    made = see(operation, images, channels=CHANNELS)
    assert torch.equal(made[:, 1], images[:, 1])
    others, found = images[:, [0, 2, 3]], made[:, [0, 2, 3]]
    equal = (found[:, :, None] == others[:, None]).all(dim=(3, 4))
    assert (equal.sum(dim=1) == 1).all()
    assert (equal.sum(dim=2) == 1).all()


def test_untouched_samples_keep_their_order() -> None:
    images = pictures(400, channels=5, size=2)
    made = see(make("channel_shuffle", p=0.3), images)
    moved = (made != images).flatten(1).any(dim=1)
    assert abs(float(moved.float().mean()) - 0.3 * 119 / 120) < 0.09
