"""Whatever values an operation accepts: pictures stay pictures."""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings, strategies as st
from torch import Tensor

from cellssl.augment import Operation, View, catalogue, make_keys
from cellssl.augment.quantities import (
    ChannelName,
    ChannelNames,
    Choice,
    Number,
    Rule,
    Span,
    Switch,
    Text,
)

from .examples import MASKS

bounded = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def names_of(channels: int) -> list[str]:
    return [f"channel {number}" for number in range(channels)]


def numbers(rule: Number | Span) -> st.SearchStrategy[Any]:
    """Draw from the rule's range, its ends and small values often."""
    low, high = rule.low, rule.high
    if rule.whole:
        return st.integers(int(low), int(high))
    near = st.floats(low, min(high, low + 2.0))
    return st.one_of(st.sampled_from([low, high]), near, st.floats(low, high))


def values_of(rule: Rule, channels: int) -> st.SearchStrategy[Any]:
    """Draw what a rule accepts."""
    if isinstance(rule, Number):
        return numbers(rule)
    if isinstance(rule, Span):
        return st.lists(numbers(rule), min_size=2, max_size=2).map(sorted)
    if isinstance(rule, Switch):
        return st.booleans()
    if isinstance(rule, Choice):
        return st.sampled_from(rule.options)
    if isinstance(rule, ChannelName):
        return st.sampled_from([None, *names_of(channels)])
    if isinstance(rule, Text):
        return st.text(max_size=3)
    assert isinstance(rule, ChannelNames)
    some = st.lists(st.sampled_from(names_of(channels)), min_size=1, unique=True)
    return st.one_of(st.none(), some)


@st.composite
def operations(draw: st.DrawFn, kind: type[Operation], channels: int) -> Operation:
    values = {key: draw(values_of(rule, channels)) for key, (rule, _) in kind.rules().items()}
    if kind.name == "elastic":  # larger shifts fold, and are refused
        values["pixels"] = min(values["pixels"], 0.48 * values["spacing"])
    assume(not kind.problems(values))
    return kind(**values)


@st.composite
def crops(draw: st.DrawFn, channels: int, dtype: torch.dtype) -> Tensor:
    """Draw up to four square crops: noise, flat, black and white, or one bright spot."""
    count, side = draw(st.integers(1, 4)), draw(st.integers(8, 40))
    shape = (count, channels, side, side)
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    what = draw(st.sampled_from(["noise", "flat", "binary", "spot"]))
    if what == "flat":
        noise = torch.full(shape, draw(st.sampled_from([0.0, 0.3, 1.0])))
    elif what == "binary":
        noise = noise.round()
    elif what == "spot":
        noise = torch.zeros(shape)
        noise[..., side // 2, side // 3] = 1.0
    return noise.to(dtype)


def check(steps: list[Operation], images: Tensor, draw: st.DrawFn) -> None:
    """Make a view; it must be made of finite numbers in [0, 1], and the same when made again."""
    count, channels, side = images.shape[:3]
    size = draw(st.integers(8, side))
    options = {
        "channels": names_of(channels),
        "masks": MASKS,
        "border": draw(st.sampled_from(["neighbours", "mirror", "zeros"])),
        "interpolation": draw(st.sampled_from(["bilinear", "bicubic"])),
        "transform": draw(st.sampled_from(["linear", "sqrt", "log"])),
    }
    seed = draw(st.integers(-(2**63), 2**63 - 1))
    samples = torch.tensor(draw(st.lists(st.integers(0, 2**62), min_size=count, max_size=count)))
    keys = make_keys(seed, draw(st.integers(0, 10**6)), samples)
    generator = torch.Generator().manual_seed(seed % 97)
    masks = torch.randint(0, 3, (count, 2, side, side), dtype=torch.uint8, generator=generator)
    strength = draw(st.sampled_from([None, None, 0.0, 0.5, 1.0]))
    before = images.clone()
    made = [
        View(steps, size, **options)(images, keys, masks=masks, strength=strength) for _ in range(2)
    ]
    assert made[0].shape == (count, channels, size, size)
    assert made[0].dtype == images.dtype
    assert torch.isfinite(made[0]).all()
    assert made[0].min() >= 0
    assert made[0].max() <= 1
    assert torch.equal(made[0], made[1])
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", catalogue())
def test_every_operation_makes_pictures_of_pictures(name: str) -> None:
    @bounded
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        channels = data.draw(st.integers(1, 5))
        step = data.draw(operations(catalogue()[name], channels))
        images = data.draw(crops(channels, data.draw(st.sampled_from(DTYPES))))
        check([step], images, data.draw)

    holds()


@settings(bounded, max_examples=200)
@given(st.data())
def test_stacks_of_operations_make_pictures_of_pictures(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 5))
    kinds = data.draw(st.lists(st.sampled_from(list(catalogue().values())), min_size=2, max_size=4))
    steps = [data.draw(operations(kind, channels)) for kind in kinds]
    images = data.draw(crops(channels, data.draw(st.sampled_from(DTYPES))))
    check(steps, images, data.draw)


@bounded
@given(st.data())
def test_what_an_operation_accepts_it_is_equal_to(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(catalogue().values())))
    step = data.draw(operations(kind, 3))
    again = kind(**{key: getattr(step, key) for key in kind.rules()})
    assert step == again
    assert kind.problems({key: getattr(step, key) for key in kind.rules()}) == []
