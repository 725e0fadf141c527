"""Values of a protocol replaced by dotted key, and validated like a file."""

import pytest

from cellssl.errors import ProtocolError
from cellssl.protocols import load, resolve


def test_values_are_replaced_and_the_rest_stays() -> None:
    changed = resolve("bbbc021-expert", {"training.epochs": 3, "crop.scaling.per": "plate"})
    assert (changed.training.epochs, changed.crop.scaling.per) == (3, "plate")
    assert changed.views == load("bbbc021-expert").views
    assert resolve(changed) is changed


def test_options_of_a_method_may_be_new() -> None:
    changed = resolve("bbbc021-expert", {"training.method_options.dim": 64})
    assert changed.training.method_options == {"temperature": 0.2, "dim": 64}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.epoch": 3}, "no value 'training.epoch'; did you mean 'training.epochs'"),
        ({"training.epochs": "3"}, "epochs: expected a whole number, got '3'"),
        ({"views.0": []}, "no value 'views.0'"),
        ({"crop.size": 4}, "size: expected greater than or equal to 8, got 4"),
    ],
)
def test_wrong_changes_are_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        resolve("bbbc021-expert", changes)
