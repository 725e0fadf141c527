"""A protocol that extends another says only what differs."""

from pathlib import Path

import pytest

from cellssl.protocols import dump, load, loads


def child(says: str, base: str = "bbbc021-expert") -> str:
    return f"name: child\nextends: {base}\n{says}\n"


def operations(text: str, view: int = 0) -> list[str]:
    return [operation.name for operation in loads(text).views[view].operations]


def test_nothing_but_the_name_differs() -> None:
    base, same = load("bbbc021-expert"), loads(child(""))
    assert same.name == "child"
    # A description speaks of the base's cells: a preview of others must not be titled by it.
    assert same.to_dict() == {**base.to_dict(), "name": "child", "description": ""}
    assert "extends" not in dump(same)


def test_blocks_are_merged_key_by_key() -> None:
    text = child("crop: {scaling: {per: plate}}\ntraining: {method_options: {dim: 64}, epochs: 3}")
    crop, training = loads(text).crop, loads(text).training
    assert (crop.size, crop.scaling.per, crop.scaling.transform) == (64, "plate", "sqrt")
    assert (training.epochs, training.width) == (3, 0.5)
    assert training.method_options == {"temperature": 0.2, "dim": 64}


def test_everything_else_is_replaced_whole() -> None:
    text = child("description: other\nchannels: any\npositives: same_well\nviews: [[blur: {}], []]")
    protocol = loads(text)
    assert (protocol.description, protocol.channels) == ("other", "any")
    assert str(protocol.positives) == "same_well"
    assert [len(recipe.operations) for recipe in protocol.views] == [1, 0]


def test_inherited_operations_are_changed_removed_and_added() -> None:
    text = child(
        "change: {stain_gain: {amplitude: 0.05}}\nremove: [gamma, flip]\n"
        "add: [{blur: {}}, {flip: {vertical: false}}]"
    )
    assert operations(text) == [
        "rotate",
        "zoom",
        "shift",
        "stain_gain",
        "stain_offset",
        "defocus",
        "read_noise",
        "blur",
        "flip",
    ]
    gain = loads(text).views[0].operations[3]
    assert (gain.amplitude, gain.per_channel) == (0.05, True)  # type: ignore[attr-defined]
    assert gain.because


def test_edits_reach_every_view(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "name: base\nchannels: any\ncrop: {size: 16}\nviews:\n  - [flip: {}, blur: {}]\n"
        "  - [blur: {}, flip: {}, blur: {}]\n  - {operations: [blur: {}], count: 2, size: 8}\n"
    )
    (tmp_path / "child.yaml").write_text(
        child("change: {blur: {p: 0.1}}\nremove: [flip]\nadd: [solarize: {}]", "base.yaml")
    )
    views = load(tmp_path / "child.yaml").views
    names = [[operation.name for operation in recipe.operations] for recipe in views]
    assert names == [["blur", "solarize"], ["blur", "blur", "solarize"], ["blur", "solarize"]]
    assert {o.p for recipe in views for o in recipe.operations if o.name == "blur"} == {0.1}
    assert (views[2].count, views[2].size) == (2, 8)


def test_a_base_may_extend_and_paths_start_at_the_file_that_says_them(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "root.yaml").write_text(child("training: {epochs: 7}").replace("child", "root"))
    (tmp_path / "inner" / "middle.yaml").write_text(
        "name: middle\nextends: ../root.yaml\nremove: [flip]\n"
    )
    (tmp_path / "leaf.yaml").write_text(child("training: {lr: 0.1}", "inner/middle.yaml"))
    leaf = load(tmp_path / "leaf.yaml")
    assert (leaf.training.epochs, leaf.training.lr) == (7, 0.1)
    assert "flip" not in [operation.name for operation in leaf.views[0].operations]


def test_text_without_a_file_extends_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base.yaml").write_text(child("training: {epochs: 7}"))
    monkeypatch.chdir(tmp_path)
    text = child("", "./base.yaml").replace("child", "other")
    assert loads(text).training.epochs == 7


def test_options_that_another_method_lacks_are_left_behind() -> None:
    protocol = loads(child("training:\n  method: simclr", "natural-moco"))
    assert protocol.training.method_options == {"temperature": 0.2}


def test_old_names_are_read_in_children_too() -> None:
    text = child("remove: [noise]")
    assert "read_noise" not in operations(text)
