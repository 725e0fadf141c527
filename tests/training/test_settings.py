"""The training block of a protocol."""

import pytest
from pydantic import ValidationError

from cellssl.training import TrainingSettings


def test_defaults_are_complete() -> None:
    settings = TrainingSettings()
    assert (settings.method, settings.encoder, settings.epochs) == ("simclr", "resnet18", 100)
    assert TrainingSettings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"epoch": 3},
        {"epochs": 0},
        {"batch_size": 1},
        {"optimizer": "adam"},
        {"lr": 0},
        {"epochs": 5, "warmup_epochs": 5},
        {"precision": "8"},
        {"stem": "cifar10"},
    ],
)
def test_wrong_values_are_refused(wrong: dict) -> None:
    with pytest.raises(ValidationError, match=list(wrong)[-1]):
        TrainingSettings.model_validate(wrong)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingSettings().epochs = 3  # type: ignore[misc]
