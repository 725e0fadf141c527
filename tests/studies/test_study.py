"""Study files: what they say, and what is said of mistakes in them."""

from pathlib import Path

import pytest

from cellssl.errors import StudyError
from cellssl.studies import Study, Sweep, load_study, plan_runs, saved_study, study_names

START = """\
name: mine
protocol: bbbc021-expert
axes:
  gain: {sweep: stain_gain.amplitude, values: [0.1, 0.2]}
"""
SWEEP = "{sweep: stain_gain.amplitude, values: [0.1, 0.2]}"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: mine", "name: mine\nseed: 3", "2: unknown key 'seed'; did you mean 'seeds'?"),
        ("values:", "value:", "4: needs the key 'axes.gain.values'"),
        ("values:", "value:", "4: unknown key 'value'; did you mean 'values'?"),
        ("sweep:", "sweeps:", "4: needs the key 'axes.gain.sweep'"),
        ("[0.1, 0.2]", "[]", "4: axes.gain.values: list should have at least 1 item"),
        ("[0.1, 0.2]", "[0.1, 0.10]", "4: axes.gain.values: 0.1 is here twice; keep one"),
        ("  gain: ", "  seed: ", "3: axes: 'seed' is a column of the tables; rename the axis"),
        (SWEEP, "{a: 3}", "4: axes.gain.a: got 3, "),
        (SWEEP, "{a: 3}", "as in a: {keep: [rotate, flip]}, or nothing, a: {}"),
        (
            SWEEP,
            "{}",
            "4: axes.gain: got {}, but an axis has its settings by name, as in gain: {expert",
        ),
        (SWEEP, "", "4: axes.gain: got None, but an axis has its settings by name"),
        (f"  gain: {SWEEP}\n", "  {}", "3: axes: got {}, but a study has one axis at least"),
        (
            "  gain: {",
            "  {",
            "3: axes: the sweep's axis has no name; write one above it, as in axes: {",
        ),
        (
            f"  gain: {SWEEP}\n",
            "  expert: {}\n  geometry: {keep: [rotate, flip]}\n",
            "3: axes: expert and geometry would each be an axis, but say what settings say",
        ),
        (
            f"  gain: {SWEEP}\n",
            "  geometry: {keep: [rotate, flip]}\n",
            "3: axes: geometry would be an axis, but says what settings say; if it is a setting,",
        ),
        ("  gain: ", "  '': ", "3: axes: an axis has no name"),
        (SWEEP, "{'': {}}", "3: axes: 'gain' has a setting without a name"),
        ("protocol: bbbc021-expert\n", "", "1: needs the key 'protocol'"),
        ("name: mine", "name: mine\nseeds: 0", "2: seeds: input should be greater than or equal"),
        ("name: mine", "name: my study", "1: name: string should match pattern"),
        ("name: mine", "name: mine\nname: mine", "2: key 'name' is here twice"),
        ("axes:", "axes: [", "not valid YAML"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path, START.replace(old, new))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    assert any(said in line for line in lines), lines


def test_settings_without_an_axis_are_told_where_they_are_read(tmp_path: Path) -> None:
    axes = "  simclr: {training: {method: simclr}}\n  byol: {training: {method: byol}}\n"
    study = load_study(write(tmp_path, START.replace(f"  gain: {SWEEP}\n", axes)))
    with pytest.raises(
        StudyError, match=r"mine.yaml:4: .*if 'simclr' is a setting, write its axis"
    ):
        plan_runs(study)


def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, START.replace("values:", "value:")))
    assert len(str(caught.value).splitlines()) == 2  # one key missing, one unknown


def test_an_unknown_study_is_told_with_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'bbbc021-weak'"):
        load_study("bbbc021-weka")


@pytest.mark.parametrize("name", study_names())
def test_shipped_studies_can_be_planned(name: str) -> None:
    study = load_study(name)
    runs = plan_runs(study)
    assert study.name == name
    assert study.question.endswith("?")
    assert study.seeds >= 3
    assert len(runs) == study.seeds * len({run.combination for run in runs})


def test_protocols_beside_the_file_are_found(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("version: 2\nname: own\nextends: bbbc021-expert\n")
    (tmp_path / "other.yaml").write_text(
        "version: 2\nname: other\nextends: bbbc021-expert\nkeep: [flip]\n"
    )
    (tmp_path / "weights.pth").touch()
    text = (
        "name: mine\nprotocol: own.yaml\naxes: {views: {a: {}, b: {views_of: other.yaml}}}\n"
        "baselines: {resnet50: weights.pth, random: null}\n"
    )
    study = load_study(write(tmp_path, text))
    runs = plan_runs(study)
    assert [len(run.protocol.views[0].operations) for run in runs[:2]] == [9, 1]
    assert study.weights == {"resnet50": tmp_path / "weights.pth", "random": None}


def test_changed_settings_reach_the_runs(tiny: Study) -> None:
    changed = tiny.changed({"training.epochs": 7, "training.method_options.dim": 4}, seeds=3)
    runs = plan_runs(changed)
    assert {run.protocol.training.epochs for run in runs} == {7}
    options = runs[0].protocol.training.method_options
    assert (options["hidden"], options["dim"]) == (16, 4)
    assert len(runs) == 6
    assert tiny.training["epochs"] == 3
    assert tiny.training["method_options"] == {"hidden": 16, "dim": 8}


def test_what_wants_more_seeds_is_left_out_and_said(
    tiny: Study, caplog: pytest.LogCaptureFixture
) -> None:
    changed = tiny.changed(seeds=1)
    assert list(changed.combine) == ["both"]
    assert "expert, two seeds is left out: 1 seeds are too few" in caplog.text
    plan_runs(changed)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 3}, "training.KEY=VALUE, got 'epochs'"),
        ({"crop.size": 3}, "training.KEY=VALUE, got 'crop.size'"),
        ({"training.epochs.more": 3}, "epochs is one value"),
    ],
)
def test_only_training_settings_are_changed(tiny: Study, changes: dict, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        tiny.changed(changes)


def test_no_seeds_are_refused(tiny: Study) -> None:
    with pytest.raises(StudyError, match="one seed at least, got 0"):
        tiny.changed(seeds=0)


def test_a_study_is_saved_as_it_was(tiny: Study, tmp_path: Path) -> None:
    changed = tiny.changed({"training.epochs": 5}, baselines={"resnet50": Path("w.pth")})
    changed.save(tmp_path)
    again = saved_study(tmp_path)
    assert again.model_dump() == changed.model_dump()
    assert plan_runs(again) == plan_runs(changed)
    assert again.weights == {"resnet50": Path.cwd() / "w.pth"}


def test_a_folder_without_a_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        saved_study(tmp_path)


@pytest.mark.parametrize(
    ("values", "positions"),
    [
        ([0, 0.5], {"0": 0.0, "0.5": 0.5}),
        ([[0.1, 1.0], [0.1, 2.0]], {"[0.1, 1.0]": 1.0, "[0.1, 2.0]": 2.0}),
        ([[0.1, 2.0], [0.5, 2.0]], None),  # their upper ends are one
        (["moco", "simclr"], None),
        ([True, False], None),
        ([None, 0.5], None),
    ],
)
def test_curves_are_drawn_over_numbers_and_ranges(
    values: list, positions: dict[str, float] | None
) -> None:
    assert Sweep(sweep="blur.sigma", values=values).positions == positions


def test_galleries_are_of_what_there_will_be(tiny: Study) -> None:
    wanted = ["expert", "both", "simple-features"]
    study = Study.model_validate({**tiny.model_dump(), "galleries": wanted})
    assert len(plan_runs(study)) == 4
    assert study.changed(baselines={"random": None}).galleries == ["expert", "both"]
    assert study.changed(seeds=1).galleries == wanted
    wrong = study.model_copy(update={"galleries": ["expart"]})
    with pytest.raises(StudyError, match=r"galleries.*'expart' is no combination.*expert"):
        plan_runs(wrong)
