"""Runs of a study: every combination with every seed, each a protocol of its own."""

from pathlib import Path

import pytest

from cellssl.errors import StudyError
from cellssl.protocols import load
from cellssl.studies import Study, load_study, plan_runs
from cellssl.studies.combining import seed_by_seed


def make(**changes: object) -> Study:
    given = {
        "name": "mine",
        "protocol": "bbbc021-expert",
        "axes": {
            "gain": {"sweep": "stain_gain.amplitude", "values": [0.1, 0.4]},
            "method": {"SimCLR": {"training": {"method": "simclr"}}, "as it is": None},
        },
    }
    return Study.model_validate({**given, **changes})


def gain(protocol) -> float:
    return next(o.amplitude for o in protocol.views[0].operations if o.name == "stain_gain")


def test_every_combination_is_trained_with_every_seed() -> None:
    runs = plan_runs(make(seeds=3))
    assert len(runs) == 2 * 2 * 3
    assert len({run.folder for run in runs}) == 12
    firsts = [run.combination for run in runs[:4]]
    assert firsts == [
        "gain 0.1, SimCLR",
        "gain 0.1, as it is",
        "gain 0.4, SimCLR",
        "gain 0.4, as it is",
    ]
    assert [run.seed for run in runs] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(run.protocol.training.seed == run.seed for run in runs)
    assert all(run.protocol.name == run.combination for run in runs)


def test_a_sweep_changes_its_value_and_nothing_else() -> None:
    base = load("bbbc021-expert")
    for run in plan_runs(make(seeds=1)):
        assert gain(run.protocol) == float(run.settings["gain"])
        method = "simclr" if run.settings["method"] == "SimCLR" else base.training.method
        assert run.protocol.training.method == method
        others = [o for o in run.protocol.views[0].operations if o.name != "stain_gain"]
        assert others == [o for o in base.views[0].operations if o.name != "stain_gain"]


def test_a_sweep_alone_is_named_by_its_values() -> None:
    axes = {"p": {"sweep": "defocus.p", "values": [0, 0.25, 1]}}
    runs = plan_runs(make(axes=axes, seeds=1))
    assert [run.combination for run in runs] == ["0", "0.25", "1"]
    assert [run.settings for run in runs] == [{"p": "0"}, {"p": "0.25"}, {"p": "1"}]


def test_values_that_look_alike_stay_apart() -> None:
    values = [0.1234567, 0.1234568]
    axes = {"gain": {"sweep": "stain_gain.amplitude", "values": values}}
    assert [gain(run.protocol) for run in plan_runs(make(axes=axes, seeds=1))] == values


def test_views_of_another_protocol_come_in_whole() -> None:
    axes = {"views": {"own": {}, "natural": {"views_of": "natural-moco"}}}
    own, natural = plan_runs(make(axes=axes, seeds=1))
    assert natural.protocol.views == load("natural-moco").views
    assert natural.protocol.crop == own.protocol.crop
    assert natural.protocol.training == own.protocol.training


def test_blocks_of_all_runs_lie_over_the_base() -> None:
    study = make(
        protocol="mnist-styles-forgotten",
        crop={"size": 32},
        training={"encoder": "vgg11_bn", "epochs": 2},
        axes={"views": {"a": {}, "b": {"training": {"epochs": 9}}}},
        seeds=1,
    )
    a, b = plan_runs(study)
    assert (a.protocol.crop.size, a.protocol.training.encoder) == (32, "vgg11_bn")
    assert (a.protocol.training.epochs, b.protocol.training.epochs) == (2, 9)
    assert a.protocol.crop.border == load("mnist-styles-forgotten").crop.border
    assert a.protocol.description == load("mnist-styles-forgotten").description


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol": "bbbc021-exprt"}, "mine, protocol: no protocol is called 'bbbc021-exprt'"),
        ({"training": {"seed": 3}}, "mine, training, seed: `seeds:` says how many"),
        ({"training": {"epoch": 3}}, "mine, training: unknown key 'epoch'"),
        (
            {"axes": {"s": {"sweep": "training.seed", "values": [1, 2]}}},
            "mine, axes: 1: a seed is no setting",
        ),
        (
            {"axes": {"s": {"sweep": "zom.p", "values": [1]}}},
            "mine, axes, s, values, 1: a protocol has no value 'zom.p'",
        ),
        (
            {"axes": {"s": {"a": {"change": {"zom": {"p": 0}}}}}},
            "mine, axes, s, a: change: no inherited operation is called 'zom'; did you mean 'zoom'",
        ),
        (
            {"axes": {"s": {"a": {"views_of": "natural"}}}},
            "mine, axes, s, a, views_of: no protocol is called 'natural'",
        ),
        (
            {"axes": {"s": {"a": {"views_of": "bbbc021-two-heads"}}}},
            "bbbc021-two-heads has groups; name one without",
        ),
        ({"axes": {"s": {"a b": {}, "a-b": {}}}}, "'a b' and 'a-b' would have the same folder"),
        ({"axes": {"s": {"a, b": {}, "a": {}}, "t": {"c": {}, "b, c": {}}}}, "'a, b, c'"),
        ({"combine": {"x": ["SimCLR", "a"]}}, "mine, combine, x: 'SimCLR' is not there"),
        ({"combine": {"x": ["gain 0.1, SimCLR"]}}, "combine, x: needs two parts, got 1"),
        ({"combine": {"x": ["gain 0.1, SimCLR"] * 4}}, "wants 4 seeds of one part, but there are"),
        (
            {"combine": {"gain 0.1, SimCLR": ["gain 0.1, SimCLR", "gain 0.4, SimCLR"]}},
            "is called so already",
        ),
    ],
)
def test_settings_that_make_no_protocol_are_told(changes: dict, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        plan_runs(make(**changes))
    assert said in str(caught.value)


def test_a_study_of_a_file_tells_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nprotocol: bbbc021-expert\naxes:\n  views:\n    a: {}\n"
        "    b:\n      change: {zom: {p: 0}}\n"
    )
    with pytest.raises(StudyError) as caught:
        plan_runs(load_study(path))
    assert str(caught.value).startswith(f"{path}:6: axes, views, b: change: no inherited operation")
    with pytest.raises(StudyError) as caught:
        plan_runs(load_study(path).changed({"training.epoch": 3}))
    assert "training: unknown key 'epoch'" in str(caught.value)


def test_seeds_are_paired_and_never_repeated() -> None:
    assert seed_by_seed(["a", "b"], range(3)) == [[("a", s), ("b", s)] for s in range(3)]
    twice = seed_by_seed(["a", "a"], range(3))
    assert twice == [[("a", 0), ("a", 1)], [("a", 1), ("a", 2)], [("a", 2), ("a", 0)]]
    assert seed_by_seed(["a", "a", "a"], range(3)) == [[("a", 0), ("a", 1), ("a", 2)]]


def test_views_that_were_chosen_by_labels_bring_them_along(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen.yaml"
    chosen.write_text(
        "version: 2\nname: chosen\nextends: bbbc021-expert\nlabels_used: {columns: [MOA]}\n"
    )
    axes = {"views": {"as it is": {}, "chosen": {"views_of": str(chosen)}}}
    own, other = plan_runs(make(axes=axes, seeds=1))
    assert not own.protocol.weak
    assert other.protocol.weak
    assert other.protocol.labels_used.columns == ("MOA",)
