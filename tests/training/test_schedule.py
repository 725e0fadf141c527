"""Plan, order and learning rate."""

import logging

import pytest
import torch

from cellssl.errors import TrainingError
from cellssl.training import (
    Plan,
    TrainingSettings,
    epoch_order,
    learning_rate,
    long_enough,
    make_plan,
    steps,
)


def test_an_order_is_a_shuffle_that_follows_from_seed_and_epoch() -> None:
    plan = make_plan(100, TrainingSettings(batch_size=10))
    first = epoch_order(0, 0, plan)
    assert sorted(first.flatten().tolist()) == list(range(100))
    assert torch.equal(first, epoch_order(0, 0, plan))
    assert not torch.equal(first, epoch_order(0, 1, plan))
    assert not torch.equal(first, epoch_order(1, 0, plan))


def test_whole_batches_only_and_other_cells_are_left_out_each_epoch() -> None:
    plan = make_plan(25, TrainingSettings(batch_size=10))
    assert (plan.batch, plan.steps) == (10, 2)
    left = [
        set(range(25)) - set(epoch_order(0, epoch, plan).flatten().tolist()) for epoch in range(3)
    ]
    assert all(len(cells) == 5 for cells in left)
    assert left[0] != left[1] != left[2]


def test_accumulated_batches_make_a_step() -> None:
    plan = make_plan(100, TrainingSettings(batch_size=10, accumulate=3))
    assert (plan.batch, plan.cells, plan.steps) == (10, 30, 3)
    order = epoch_order(0, 0, plan)
    assert order.shape == (3, 3, 10)
    assert len(set(order.flatten().tolist())) == 90
    with pytest.raises(TrainingError, match="30 batches of 10 cells make a step, but an epoch has"):
        make_plan(100, TrainingSettings(batch_size=10, accumulate=30))


def test_fewer_cells_than_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    plan = make_plan(7, TrainingSettings(batch_size=256))
    assert (plan.batch, plan.steps) == (7, 1)
    assert "the batch has 7 instead of 256" in caplog.text
    with pytest.raises(TrainingError, match="at least 2 cells, got 1"):
        make_plan(1, TrainingSettings())


@pytest.mark.parametrize(
    ("samples", "accumulate"),
    [(2, 1), (7, 1), (40, 1), (300, 1), (600, 1), (600, 2), (1500, 1), (2000, 2)],
)
def test_few_cells_become_enough_steps(samples: int, accumulate: int) -> None:
    asked = TrainingSettings(epochs=25, batch_size=256)
    given = long_enough(samples, asked.model_copy(update={"accumulate": accumulate}))
    least = steps(samples, given.model_copy(update={"epochs": given.epochs - 1}))
    assert steps(samples, given) >= 500
    assert given.epochs == 25 or least < 500
    assert 32 <= given.batch_size <= 256
    assert given.epochs >= 25
    changed = {"batch_size": 256, "epochs": 25, "accumulate": 1}
    assert given.model_copy(update=changed) == asked


def test_enough_steps_stay_as_they_are() -> None:
    long = TrainingSettings(epochs=50, batch_size=256)
    assert steps(768, long) == 150
    assert long_enough(768, long) is long
    assert steps(767, long) == 100
    assert (long_enough(767, long).batch_size, long_enough(767, long).epochs) == (64, 50)
    assert steps(767, TrainingSettings(epochs=50, batch_size=64, samples_per_epoch=128)) == 100


def test_where_no_step_can_be_made_nothing_is_long_enough() -> None:
    wide = TrainingSettings(epochs=25, batch_size=256, accumulate=32)
    assert steps(600, wide) == 0
    assert long_enough(600, wide) is wide
    assert steps(0, wide) == 0


def test_samples_per_epoch() -> None:
    plan = make_plan(1000, TrainingSettings(batch_size=32, samples_per_epoch=100))
    assert (plan.samples, plan.batch, plan.steps) == (1000, 32, 3)
    seen = {cell for epoch in range(50) for cell in epoch_order(0, epoch, plan).flatten().tolist()}
    assert len(seen) > 950


@pytest.mark.parametrize(
    ("epochs", "asked", "warmup"), [(25, None, 25), (400, None, 100), (25, 4, 40), (25, 0, 0)]
)
def test_warm_up_is_a_tenth_or_what_was_asked(
    epochs: int, asked: float | None, warmup: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TrainingSettings(epochs=epochs, warmup_epochs=asked, batch_size=10)
    with caplog.at_level(logging.WARNING):
        assert make_plan(100, settings).warmup == warmup
    assert not caplog.text


def test_learning_rate_rises_then_falls_to_nothing() -> None:
    plan = Plan(samples=100, batch=10, steps=10, epochs=10, warmup=20)
    rates = [learning_rate(step, plan, peak=0.3) for step in range(plan.total)]
    assert rates[0] == pytest.approx(0.3 / 20)
    assert rates[19] == rates[20] == 0.3
    assert rates[60] == pytest.approx(0.15)
    assert 0 < rates[-1] < 0.001
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_without_warm_up_it_starts_at_the_peak() -> None:
    plan = Plan(samples=100, batch=10, steps=10, epochs=1, warmup=0)
    assert learning_rate(0, plan, peak=0.3) == 0.3
