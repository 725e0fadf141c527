"""Values of a protocol replaced by dotted key, and validated like a file."""

import numpy as np
import pytest

from cellssl.errors import ProtocolError
from cellssl.protocols import extend, load, resolve


def test_values_are_replaced_and_the_rest_stays() -> None:
    changed = resolve("bbbc021-expert", {"training.epochs": 3, "crop.scaling.per": "plate"})
    assert (changed.training.epochs, changed.crop.scaling.per) == (3, "plate")
    assert changed.views == load("bbbc021-expert").views
    assert resolve(changed) is changed


def test_numbers_of_numpy_are_numbers() -> None:
    changes = {"training.epochs": np.int64(3), "crop.scaling.percentiles": np.array([1, 99])}
    changed = resolve("bbbc021-expert", changes)
    assert (changed.training.epochs, changed.crop.scaling.percentiles) == (3, (1, 99))
    change = {"rotate": {"degrees": np.int64(90)}}
    extended = extend("bbbc021-expert", {"name": "quarter", "change": change})
    assert extended.views == resolve("bbbc021-expert", {"rotate.degrees": 90}).views


def test_a_block_may_be_that_of_another_protocol() -> None:
    crop = load("cell-cycle").crop
    assert resolve("bbbc021-expert", {"crop.scaling": crop.scaling}).crop.scaling == crop.scaling


def test_options_of_a_method_may_be_new() -> None:
    changed = resolve("bbbc021-expert", {"training.method_options.dim": 64})
    assert changed.training.method_options == {"temperature": 0.2, "dim": 64}


def test_operations_are_changed_wherever_they_stand() -> None:
    changes = {"stain_gain.amplitude": 0.4, "stain_gain.p": 0.5, "training.epochs": 3}
    changed = resolve("bbbc021-expert", changes)
    (gain,) = (o for o in changed.views[0].operations if o.name == "stain_gain")
    assert (gain.amplitude, gain.per_channel, gain.p) == (0.4, True, 0.5)  # type: ignore[attr-defined]
    assert changed.training.epochs == 3
    views = [[{"blur": {}}], [{"blur": {}}, {"flip": {}}]]
    changed = resolve(resolve("natural-moco", {"views": views}), {"blur.p": 0.1})
    assert [recipe.operations[0].p for recipe in changed.views] == [0.1, 0.1]


def test_positives_are_changed_key_by_key_though_they_were_a_word() -> None:
    changes = {"positives.kind": "same_treatment", "positives.another_plate": True}
    changed = resolve("bbbc021-expert", changes)
    assert str(changed.positives) == "same_treatment on another plate"
    assert resolve(changed, {"positives.columns": ["MOA"]}).positives.columns == ("MOA",)
    assert str(resolve(changed, {"positives": "same_well"}).positives) == "same_well"


def test_a_wrong_value_is_told_once_for_all_views() -> None:
    two = resolve("natural-moco", {"views": [[{"blur": {}}], [{"blur": {}}]]})
    with pytest.raises(ProtocolError) as caught:
        resolve(two, {"blur.p": 7})
    assert str(caught.value) == (
        "natural-moco with blur.p: blur.p: p: expected a number from 0 to 1, got 7; 7 % is 0.07"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training.epoch": 3}, "no value 'training.epoch'; did you mean 'training.epochs'"),
        ({"training.epochs": "3"}, "epochs: expected a whole number, got '3'"),
        ({"views.0": []}, "no value 'views.0'"),
        ({"crop.size": 4}, "size: expected greater than or equal to 8, got 4"),
        (
            {"stain_gian.amplitude": 1},
            "'stain_gian.amplitude'; did you mean 'stain_gain.amplitude'",
        ),
        ({"solarize.p": 1}, "bbbc021-expert has no operation 'solarize'; there are rotate, flip"),
        ({"noise.p": 1}, "noise.p: noise is called read_noise since version 2"),
        (
            {"stain_gain.amplitud": 1},
            "unknown key 'amplitud' of stain_gain; did you mean 'amplitude'",
        ),
        ({"positives.another_plate": True}, "another_plate: goes with same_treatment only"),
        ({"views": [["flip"]]}, "expected an operation with its values, got 'flip'"),
        (["training.epochs=3"], r"changes: wanted \{\"training.epochs\": 5, …\}, got \['training"),
        ({"views": "none", "blur.p": 1}, "has no operation 'blur'"),
    ],
)
def test_wrong_changes_are_told(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        resolve("bbbc021-expert", changes)


def test_another_method_leaves_options_behind_that_it_does_not_have() -> None:
    changed = resolve("natural-moco", {"training.method": "simclr"})
    assert changed.training.method_options == {"temperature": 0.2}
    both = {"training.method": "simclr", "training.method_options.dim": 64}
    assert resolve("natural-moco", both).training.method_options == {"temperature": 0.2, "dim": 64}


@pytest.mark.parametrize("backwards", [False, True])
def test_positives_and_their_parts_may_be_changed_together(backwards: bool) -> None:
    changes = [("positives", "same_treatment"), ("positives.another_plate", True)]
    changed = resolve("natural-moco", dict(changes[::-1] if backwards else changes))
    assert str(changed.positives) == "same_treatment on another plate"
