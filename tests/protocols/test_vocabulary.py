"""The operations, listed and explained."""

import pytest

from cellssl.augment import catalogue
from cellssl.errors import ProtocolError
from cellssl.protocols import explain_operation, operations


def test_every_operation_is_listed_with_its_unit() -> None:
    table = operations().set_index("operation")
    assert sorted(table.index) == list(catalogue())
    assert table.loc["shot_noise", "keys"] == "photons"
    assert table.loc["haze", "keys"] == "amount (of the light), sigma (px), per_channel"
    assert table["kind"].unique().tolist() == ["geometry", "pixel", "masking"]
    assert (table["makes the encoder blind to"] != "").all()


@pytest.mark.parametrize("name", catalogue())
def test_every_operation_is_explained_key_by_key(name: str) -> None:
    text, table = explain_operation(name)
    assert text
    assert table["key"].tolist() == list(catalogue()[name].rules())
    assert (table["meaning"] != "").all()
    assert (table["values"] != "").all()


def test_an_explanation_names_values_and_defaults() -> None:
    rows = explain_operation("mask_neighbours")[1].set_index("key")
    assert rows.loc["fill"].tolist()[1:] == ["background or black", "background"]
    assert rows.loc["grow", "values"] == "0 to 128 px"
    rows = explain_operation("bleed_through")[1].set_index("key")
    assert rows.loc[["source", "channels", "because"], "values"].tolist() == [
        "a channel's name",
        "[channel, …]",
        "text",
    ]
    rows = explain_operation("bit_depth")[1].set_index("key")
    assert rows.loc["bits"].tolist()[1:] == ["[from, to] within 1 to 16 bits", "must be given"]
    assert rows.loc["p", "default"] == "1"
    with pytest.raises(ProtocolError, match="'blurr'; did you mean 'blur'"):
        explain_operation("blurr")
