"""All views of a step: pairs, partners, many sizes."""

import pytest
import torch

from cellssl.augment import View, Views, make_keys

from .examples import MASKS, everything, make, outlines, pictures

SAMPLES = torch.arange(4)


def plain(size: int = 24) -> View:
    return View([], size)


def noisy(size: int = 24) -> View:
    return View([make("read_noise", sigma=(0.1, 0.1))], size)


def test_two_views_differ_and_are_reproducible() -> None:
    views = Views(View(everything(), 16, masks=MASKS))
    made = views(pictures(), 0, 0, SAMPLES, masks=outlines())
    assert len(made) == 2
    assert not torch.allclose(*made)
    again = views(pictures(), 0, 0, SAMPLES, masks=outlines())
    assert torch.equal(made[0], again[0])
    assert torch.equal(made[1], again[1])
    for seed, epoch in ((0, 1), (1, 0)):
        other = views(pictures(), seed, epoch, SAMPLES, masks=outlines())
        assert not torch.allclose(made[0], other[0])
        assert not torch.allclose(made[1], other[1])


def test_every_view_has_the_keys_of_its_number() -> None:
    made = Views(noisy(), noisy(), noisy(16))(pictures(), 5, 2, SAMPLES)
    for number, view in enumerate(made):
        keys = make_keys(5, 2, SAMPLES, number)
        assert torch.equal(view, noisy(view.shape[-1])(pictures(), keys))


def test_seed_and_epoch_may_be_tensors() -> None:
    views = Views(noisy())
    plain_numbers = views(pictures(), 3, 7, SAMPLES)
    tensors = views(pictures(), torch.tensor(3), torch.tensor(7), SAMPLES)
    assert torch.equal(torch.stack(plain_numbers), torch.stack(tensors))


def test_two_views_may_have_recipes_of_their_own() -> None:
    views = Views(plain(16), View([make("solarize", threshold=0.0)], 16))
    first, second = views(pictures(), 0, 0, SAMPLES)
    assert torch.allclose(second, 1 - first)


def test_further_views_may_be_smaller() -> None:
    views = Views(noisy(), noisy(), noisy(12), noisy(12), noisy(8))
    made = views(pictures(), 0, 0, SAMPLES)
    assert [view.shape[-1] for view in made] == [24, 24, 12, 12, 8]
    assert not torch.equal(made[2], made[3])
    fewer = Views(noisy(), noisy())(pictures(), 0, 0, SAMPLES)
    assert torch.equal(fewer[0], made[0])  # more views leave the draws of the first
    assert torch.equal(fewer[1], made[1])


def test_every_second_view_shows_the_partners() -> None:
    images, partners = pictures(), 1 - pictures()
    made = Views(*[plain()] * 4)(images, 0, 0, SAMPLES, partners=partners)
    for view, shown in zip(made, (images, partners) * 2, strict=True):
        assert torch.equal(view, shown)


def test_a_partners_draws_are_those_of_its_image() -> None:
    images = pictures()
    alone = Views(noisy())(images, 0, 0, SAMPLES)
    shared = Views(noisy())(images, 0, 0, SAMPLES, partners=images[:1].expand(4, -1, -1, -1))
    assert torch.equal(alone[0], shared[0])
    noise = shared[1] - images[:1]
    assert not torch.allclose(noise[0], noise[1])  # two images may share a partner


def test_partners_are_hidden_by_their_own_masks() -> None:
    view = View([make("mask_background", mask="nucleus", fill="black")], 24, masks=MASKS)
    ones, masks = torch.ones(4, 1, 24, 24), outlines()
    partner_masks = masks.flip(-1).roll(3, -2)
    first, second = Views(view)(
        ones, 0, 0, SAMPLES, masks=masks, partners=ones, partner_masks=partner_masks
    )
    assert torch.equal(first[:, 0] > 0, masks[:, 0] == 1)
    assert torch.equal(second[:, 0] > 0, partner_masks[:, 0] == 1)


def test_views_ask_for_masks_where_one_of_them_does() -> None:
    masking = View([make("mask_neighbours")], 24, masks=MASKS)
    assert not Views(plain()).needs_masks
    assert Views(plain(), masking).needs_masks
    first, second = Views(plain(), masking)(pictures(), 0, 0, SAMPLES, masks=outlines())
    assert torch.equal(first, pictures())
    assert not torch.equal(second, pictures())
    with pytest.raises(ValueError, match=r"masks: got none, wanted \(4, 2, 24, 24\)"):
        Views(plain(), masking)(pictures(), 0, 0, SAMPLES)
    with pytest.raises(ValueError, match="masks: got none"):
        Views(masking)(pictures(), 0, 0, SAMPLES, masks=outlines(), partners=pictures())


def test_wrong_views_are_told() -> None:
    with pytest.raises(ValueError, match="no view was given"):
        Views()
    with pytest.raises(ValueError, match="one size, got 8 and 9"):
        Views(plain(8), plain(9))


def test_views_say_what_they_are() -> None:
    expected = "Views(View([], size=8), View([], size=8), View([flip], size=4))"
    assert repr(Views(plain(8), plain(8), View([make("flip")], 4))) == expected
