"""The JSON Schema says of files what the loader says, as far as a schema can."""

from typing import Any

import jsonschema
import pytest

from cellssl.augment import catalogue
from cellssl.documents import read_yaml
from cellssl.protocols import dump, load, names, resolve, schema

RIGHT = """\
version: 2
name: mine
channels: [DAPI, Actin]
crop: {size: 64, border: zeros, scaling: {percentiles: [1, 99.9]}}
positives: same_cell
views:
  - - rotate: {degrees: 180, because: no up}
    - bleed_through: {amount: [0, 0.1], source: DAPI, target: Actin}
    - blur:
training: {method: simclr, encoder: resnet18, lr: 2e-3, samples_per_epoch: null}
"""
CHILD = "name: child\nextends: bbbc021-expert\n"

FITS = [
    ("as it is", ("", "")),
    ("long views", ("views:\n  -", "views:\n  - []\n  - {operations: [flip: {}], count: 3, size: 8}\n  -")),
    ("any channels", ("[DAPI, Actin]", "any")),
    ("long positives", ("same_cell", "{kind: same_treatment, another_plate: true, columns: [MOA]}")),
    ("positives of some plates", ("same_cell", "{kind: same_well, plates: [P1, 24]}")),
    ("positives but of some plates", ("same_cell", "{kind: same_treatment, exclude_plates: [P1]}")),
    ("labels of all plates", ("positives: same_cell", "labels_used: {columns: [MOA], plates: null}")),
    ("options of moco", ("method: simclr", "method: moco, method_options: {queue: 64}")),
    ("options of the default method", ("method: simclr", "method_options: {temperature: 1}")),
]  # fmt: skip
FITS_NOT = [
    ("unknown key", ("positives:", "positive:")),
    ("unknown key of a block", ("size: 64,", "size: 64, scalling: {},")),
    ("unknown key of an operation", ("degrees: 180", "degrees: 180, degree: 1")),
    ("missing amplitude", ("degrees: 180, ", "")),
    ("missing name", ("name: mine\n", "")),
    ("missing size", ("size: 64, ", "")),
    ("missing channels", ("channels: [DAPI, Actin]\n", "")),
    ("unknown operation", ("blur", "blurr")),
    ("old operation", ("blur:", "noise: {sigma: [0, 0.1]}")),
    ("out of range", ("180", "181")),
    ("text for a number", ("180", "'180'")),
    ("one number for a range", ("amount: [0, 0.1]", "amount: 0.1")),
    ("number for a name", ("source: DAPI", "source: 3")),
    ("two operations in one item", ("    - bleed", "      bleed")),
    ("no outer list", ("  - - rotate", "  - rotate")),
    ("channel twice", ("[DAPI, Actin]", "[DAPI, DAPI]")),
    ("channels as text", ("[DAPI, Actin]", "DAPI")),
    ("size too small", ("64", "4")),
    ("unknown border", ("zeros", "none")),
    ("percentiles", ("[1, 99.9]", "[1, 999]")),
    ("unknown method", ("simclr", "simclrr")),
    ("unknown encoder", ("resnet18", "resnet19")),
    ("option of another method", ("method: simclr", "method: simclr, method_options: {queue: 64}")),
    ("rate of nothing", ("2e-3", "0")),
    ("version", ("version: 2", "version: 3")),
    ("positives", ("same_cell", "same_wel")),
    ("plates of the same cell", ("same_cell", "{kind: same_cell, plates: [P1]}")),
    ("plates named twice over", ("same_cell", "{kind: same_well, plates: [P1], exclude_plates: [P2]}")),
    ("another plate of a well", ("same_cell", "{kind: same_well, another_plate: true}")),
    ("count", ("views:", "views:\n  - {operations: [], count: 17}")),
    ("change without extends", ("positives: same_cell", "change: {blur: {p: 1}}")),
]  # fmt: skip
CHILDREN = [
    ("", True),
    ("crop: {border: mirror}\ntraining: {epochs: 3}", True),
    ("change: {stain_gain: {amplitude: 1}}\nremove: [flip]\nadd: [blur: {}]", True),
    ("views: [[flip: {}]]", True),
    ("views: [[]]\nremove: [flip]", False),
    ("change: {stain_gain: {amplitud: 1}}", False),
    ("change: {stain_gain: {amplitude: 9}}", False),
    ("remove: [flop]", False),
    ("add: [rotate: {}]", False),
    ("crop: {size: 4}", False),
]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def plain(text: str) -> Any:
    return read_yaml(text).value


@pytest.mark.parametrize("name", names())
def test_shipped_protocols_fit(validator: jsonschema.Draft202012Validator, name: str) -> None:
    validator.validate(plain(dump(load(name))))
    validator.validate(load(name).to_dict())


@pytest.mark.parametrize("swap", [case[1] for case in FITS], ids=[case[0] for case in FITS])
def test_right_files_fit(validator: jsonschema.Draft202012Validator, swap: tuple[str, str]) -> None:
    validator.validate(plain(RIGHT.replace(*swap, 1)))


@pytest.mark.parametrize("swap", [case[1] for case in FITS_NOT], ids=[case[0] for case in FITS_NOT])
def test_wrong_files_do_not(
    validator: jsonschema.Draft202012Validator, swap: tuple[str, str]
) -> None:
    assert swap[0] in RIGHT
    assert not validator.is_valid(plain(RIGHT.replace(*swap, 1)))


@pytest.mark.parametrize(("says", "fits"), CHILDREN)
def test_children_may_say_less_and_edit(
    validator: jsonschema.Draft202012Validator, says: str, fits: bool
) -> None:
    assert validator.is_valid(plain(CHILD + says)) == fits


def test_every_key_has_a_meaning_and_its_unit() -> None:
    for name, operation in catalogue().items():
        keys = schema()["$defs"][name]["properties"]
        for key, (rule, default) in operation.rules().items():
            assert rule.meaning in keys[key]["description"]
            if rule.unit:
                assert f"({rule.unit})" in keys[key]["description"]
                assert keys[key]["x-unit"] == rule.unit
            assert ("default" in keys[key]) == (default is not ...)
    for block in ("crop", "labels_used", "training"):
        keys = schema()["properties"][block]["properties"]
        assert all(value["description"] for value in keys.values())


def test_resolved_long_forms_fit(validator: jsonschema.Draft202012Validator) -> None:
    protocol = resolve(
        "natural-moco",
        {
            "positives": {"kind": "same_treatment", "another_plate": True},
            "views": [{"operations": [{"flip": {}}], "count": 2}, {"operations": [], "size": 32}],
        },
    )
    validator.validate(protocol.to_dict())
