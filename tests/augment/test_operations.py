"""What every operation states about itself, and how wrong values are told."""

import dataclasses

import pytest

from cellssl.augment import Geometry, Masking, Pixel, catalogue, operation_named

from .examples import CHANNELS, STRONG, draws, make


@pytest.mark.parametrize("name", catalogue())
def test_every_operation_says_what_it_is(name: str) -> None:
    operation = catalogue()[name]
    assert operation.name == name
    bases = {"geometry": Geometry, "pixel": Pixel, "masking": Masking}
    assert issubclass(operation, bases[operation.kind])
    assert operation.invariance
    assert (operation.__doc__ or "").strip()
    for rule, _ in operation.rules().values():
        assert rule.meaning
    assert dataclasses.fields(operation)


@pytest.mark.parametrize("name", catalogue())
def test_what_it_says_of_itself_is_about_its_own_keys_and_draws(name: str) -> None:
    operation = make(name, **STRONG[name])
    assert set(operation.nothing) <= set(operation.rules())
    params = operation.parameters(draws(name, count=4))
    assert set(operation.neutral) <= set(params)
    assert all(len(value) == 4 for value in params.values())
    assert set(getattr(operation, "noise_fields", ())) <= set(params)


@pytest.mark.parametrize("name", catalogue())
def test_lists_become_tuples_and_equal_values_equal_operations(name: str) -> None:
    operation = make(name, **STRONG[name], because="why")
    values = dataclasses.asdict(operation)
    assert not any(isinstance(value, list) for value in values.values())
    assert operation == make(name, **values)
    assert hash(operation) == hash(make(name, **values))


def test_two_operations_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two operations are called 'gamma'"):
        type("Twin", (Pixel,), {"name": "gamma"})
    assert catalogue()["gamma"].__name__ == "Gamma"


def test_channels_that_are_named_can_be_asked_for() -> None:
    assert make("gamma", amplitude=0.1).named_channels() == {}
    gamma = make("gamma", amplitude=0.1, channels=list(CHANNELS[:2]))
    assert gamma.named_channels() == {"channels": ("DAPI", "Tubulin")}
    bleed = make("bleed_through", amount=[0, 0.1], source="ER", target="DAPI")
    assert bleed.named_channels() == {"source": ("ER",), "target": ("DAPI",)}


@pytest.mark.parametrize(
    ("name", "alone", "two"),
    [
        ("bleed_through", "changes nothing on 1 channel", None),
        ("channel_dropout", "left out on 1 channel", None),
        ("channel_shuffle", "changes nothing on 1 channel", None),
        ("color_jitter", "hue exists for 3 channels", "plain mean of the 2 channels"),
        ("grayscale", "changes nothing on 1 channel", "plain mean of the 2 channels"),
        ("misregistration", "of 1 channel is a shift", None),
    ],
)
def test_what_cannot_work_on_few_channels_is_said(name: str, alone: str, two: str | None) -> None:
    operation = make(name, **STRONG[name])
    assert any(alone in text for text in operation.caveats(1))
    assert operation.caveats(3) == []
    assert any(two in text for text in operation.caveats(2)) if two else not operation.caveats(2)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("rotate", {"degrees": 200.0}, "rotate.degrees: expected a number from 0 to 180 degrees"),
        ("rotate", {"degrees": "180"}, "got '180'"),
        ("rotate", {"degrees": True}, "got True"),
        ("rotate", {"degrees": float("nan")}, "got nan"),
        ("rotate", {"degrees": 10**400}, "expected a number from 0 to 180 degrees, got 1000"),
        ("rotate", {"degrees": 10.0, "p": 1.5}, "rotate.p: expected a number from 0 to 1"),
        ("defocus", {"sigma": (1.5, 0.1)}, r"turn it round: \[0.1, 1.5\]"),
        ("defocus", {"sigma": 1.0}, "expected two rising numbers"),
        ("defocus", {"sigma": [1.0, float("inf")]}, "expected two rising numbers"),
        ("flip", {"vertical": 1}, "expected true or false, got 1"),
        ("gamma", {"amplitude": 0.1, "channels": "GFP"}, r"write \[GFP\]"),
        ("gamma", {"amplitude": 0.1, "channels": ["a", "a"]}, "every channel once"),
        ("gamma", {"amplitude": 0.1, "channels": []}, "expected a list of channel names"),
        ("gamma", {"amplitude": -0.1, "because": 3}, "gamma.because: expected text, got 3"),
        ("bit_depth", {"bits": [4.0, 8.0]}, "two rising whole numbers .* between 1 and 16 bits"),
        ("bit_depth", {"bits": [8, 4]}, r"turn it round: \[4, 8\]"),
        ("mask_background", {"grow": True}, "a whole number from 0 to 128 px, got True"),
        ("mask_background", {"fill": "blck"}, "did you mean 'black'"),
    ],
)
def test_wrong_values_are_told(name: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        operation_named(name)(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", catalogue())
def test_missing_and_unknown_keys_are_told(name: str) -> None:
    operation = catalogue()[name]
    needed = {key for key, (_, default) in operation.rules().items() if default is ...}
    assert {key for key, _ in operation.problems({})} == needed
    told = dict(operation.problems({**STRONG[name], "becuase": ""}))
    assert "did you mean 'because'" in told["becuase"]
    assert not operation.problems(STRONG[name])


def test_an_unknown_operation_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown operation 'rotat'; did you mean 'rotate'"):
        operation_named("rotat")
