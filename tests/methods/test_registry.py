"""Methods by name, options checked."""

import math

import pytest

from cellssl import encoders, methods
from cellssl.errors import TrainingError


def test_names_and_options() -> None:
    assert methods.names() == ("simclr", "moco", "byol", "barlow_twins", "vicreg")
    assert "queue" in methods.option_names("moco")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("simclear", {}, r"no method 'simclear'; there are simclr, .*; did you mean 'simclr'\?"),
        ("simclr", {"temprature": 1}, r"no option 'temprature'.*did you mean 'temperature'\?"),
        ("simclr", {"temperature": 0}, "temperature: got 0, wanted a number above 0"),
        ("simclr", {"hidden": 0.5}, "hidden: got 0.5, wanted a whole number from 1 to 65536"),
        ("moco", {"momentum": 1.5}, "momentum: got 1.5, wanted a number from 0 to 1"),
        ("moco", {"queue": True}, "queue: got True, wanted a whole number"),
        ("moco", {"symmetric": "no"}, "symmetric: got 'no', wanted true or false"),
    ],
)
def test_wrong_words_and_values(name: str, options: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        methods.build(name, encoders.build("resnet18", 1, width=0.125), **options)


def test_values_are_checked_before_there_is_an_encoder() -> None:
    assert methods.option_problem("moco", {"queue": 2**20, "symmetric": True}) is None
    wrong = methods.option_problem("byol", {"dim": 0, "momentum": 2})
    assert wrong == "dim: got 0, wanted a whole number from 1 to 65536"
    assert methods.option_problem("supervised", {}) is None
    assert "classes: got 1" in str(methods.option_problem("supervised", {"classes": 1}))


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("simclr", "hidden", 10**9),
        ("barlow_twins", "dim", 10**30),
        ("moco", "queue", -1),
        ("moco", "queue", 10**12),
        ("simclr", "temperature", math.inf),
        ("vicreg", "sim", 10**400),
        ("supervised", "classes", 10**20),
    ],
)
def test_absurd_values_are_refused_in_plain_words(name: str, option: str, value: float) -> None:
    problem = methods.option_problem(name, {option: value})
    assert str(problem).startswith(f"{option}: got {value!r}, wanted ")
