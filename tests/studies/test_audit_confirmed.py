"""What the audit says of two labels of the same cells, and what a short training then shows.

Every cell has an amount (how bright it is) and a form (round or long), drawn independently. Gain
erases the one and leaves the other.
"""

from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from typer.testing import CliRunner

import cellssl
from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, label_crops, write_crops
from cellssl.errors import StudyError
from cellssl.protocols import Protocol, from_dict, resolve
from cellssl.scores import balanced_accuracy, knn_predict
from cellssl.studies import load_study, pooled_agreement, rank_settings
from cellssl.studies.audit.agreement import agreement
from cellssl.studies.audit.correlation import pair_correlation, rank_correlation

SIDE, CELLS = 32, 192
TRAINING = {
    "training.method": "simclr",
    "training.method_options": {"hidden": 64, "dim": 32},
    "training.width": 0.125,
    "training.epochs": 25,
    "training.batch_size": 64,
    "training.warmup_epochs": 0,
    "training.optimizer": "adamw",
    "training.lr": 0.01,
}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ellipses of one area, round or long, at any angle, of brightness over a range of 1 to 2.7."""
    rng = np.random.default_rng(0)
    form = np.array(["round", "long"])[np.arange(CELLS) % 2]
    light = np.exp(rng.uniform(0, 1, CELLS))
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    images = []
    for kind, brightness in zip(form, light, strict=True):
        angle, stretch = rng.uniform(0, np.pi), 1.45 if kind == "long" else 1.0
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        radius = np.hypot(u / stretch, v * stretch)
        disc = 1 / (1 + np.exp(2 * (radius - 7)))
        # Grain grows with the light: else what is bright were told by its noise, whatever the gain.
        grain = rng.normal(1, 0.1, (SIDE, SIDE))
        images.append(3000 * brightness * (0.01 + disc) * grain)
    plate = np.where(np.arange(CELLS) // 2 % 2, "P1", "P2")
    well = [f"A{1 + i // 4 % 6:02}" for i in range(CELLS)]
    obs = pd.DataFrame(
        {"Metadata_Plate": plate, "Metadata_Well": well, "Metadata_Form": form},
        index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plate, well, strict=True))],
    )
    pixels = np.clip(np.stack(images)[:, None], 0, 65535).astype(np.uint16)
    path = tmp_path_factory.mktemp("planted") / "crops.h5ad"
    batch = CropBatch(pixels, None, obs)
    write_crops(path, [batch], channels=["DNA"], size=SIDE, provenance={})
    return label_crops(path, path, by="DNA", name="Amount", classes=4)


def protocol(*operations: dict[str, dict[str, float]]) -> Protocol:
    values = {
        "views": [[{"rotate": {"degrees": 180}}, {"flip": {}}, *operations]],
        "crop.size": SIDE,
        "crop.scaling.per": "global",
        "crop.scaling.transform": "linear",
        "channels": ["DNA"],
    }
    return resolve("natural-moco", {**values, **TRAINING})


GAIN = {"stain_gain": {"amplitude": 0.7}}


def test_the_audit_warns_for_one_label_and_not_for_the_other(crops: Path) -> None:
    verdicts = {
        label: cellssl.audit(protocol(GAIN), crops, label=label, cells=CELLS).verdict
        for label in ("Amount", "Form")
    }
    assert verdicts["Amount"][0].startswith("warning: stain_gain")
    assert "brightness of DNA" in verdicts["Amount"][0]
    assert verdicts["Amount"][-1].startswith("warning: whole view")
    assert not any(line.startswith("warning: stain_gain") for line in verdicts["Form"])
    assert not verdicts["Form"][-1].startswith("warning")
    quiet = cellssl.audit(protocol(), crops, label="Amount", cells=CELLS).verdict
    assert not any(line.startswith("warning") for line in quiet)


def test_training_confirms_it(crops: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    found = {
        name: scored(crops, protocol(*operations), tmp_path / name)
        for name, operations in (("gain", [GAIN]), ("geometry", []))
    }
    assert found["geometry"]["Amount"] - found["gain"]["Amount"] > 0.12
    assert found["gain"]["Form"] > 0.95


def scored(crops: Path, chosen: Protocol, out: Path) -> dict[str, float]:
    """Train, embed, and find each label by neighbours on the other plate."""
    cellssl.train(crops, chosen, out, progress=False, device="cpu")
    X = np.asarray(cellssl.embed(crops, out, progress=False, device="cpu").X)
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-6)
    obs = Crops.open(crops).obs
    plates = obs["Metadata_Plate"].to_numpy(str)
    return {
        label: balanced_accuracy(values, knn_predict(X, values, groups=plates))
        for label in ("Amount", "Form")
        for values in [obs[f"Metadata_{label}"].to_numpy(str)]
    }


def test_each_head_is_blind_to_its_own_views(crops: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    groups = {"gain": {}, "geometry": {"keep": ["rotate", "flip"]}}
    both = from_dict({**protocol(GAIN).to_dict(), "groups": groups})
    run = cellssl.train(crops, both, tmp_path / "run", progress=False, device="cpu")
    moved, lost = {}, {}
    for head in groups:
        found = cellssl.invariances(run, crops, head=head, label="Amount", cells=96)
        assert found.run == f"run:{head}"
        table = found.operations.set_index("operation")
        moved[head] = table["moved_encoder"]["stain_gain"]
        assert table["groups"]["stain_gain"] == table["groups"]["whole view of gain"] == "gain"
        assert table["groups"]["rotate"] == "gain and geometry"
        lost[head] = (found.contrasts["before"] - found.contrasts["predicted"]).max()
    assert moved["gain"] < 0.7 * moved["geometry"]
    assert lost["geometry"] < 0.5 * lost["gain"]  # each is predicted after its own group's views


STUDY = """\
name: planted
question: Which views leave the amount?
protocol: bbbc021-expert
crop: {size: 32, scaling: {per: global, transform: linear}}
axes:
  views:
    geometry: {keep: [rotate, flip], channels: [DNA]}
    weak gain: {keep: [rotate, flip, stain_gain], channels: [DNA]}
    strong gain:
      keep: [rotate, flip, stain_gain]
      change: {stain_gain: {amplitude: 0.9}}
      channels: [DNA]
    both:
      channels: [DNA]
      groups: {strong: {change: {stain_gain: {amplitude: 0.9}}}, geometry: {keep: [rotate, flip]}}
label: Amount
"""


def test_a_studys_settings_are_ranked_before_training(crops: Path, tmp_path: Path) -> None:
    path, scores, out = (tmp_path / name for name in ("planted.yaml", "scores.csv", "ranked"))
    path.write_text(STUDY)
    made = {"geometry": 0.9, "weak gain": 0.8, "strong gain": 0.6, "both": 0.91}
    rows = [("knn", name, "mean", "all", value) for name, value in made.items()]
    columns = ["metric", "embedding", "seed", "subset", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(scores, index=False)
    command = ["study", "audit", str(path), str(crops), "--scores", str(scores), "-o", str(out)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "Against training: Spearman" in said
    assert "knn 4 settings" in said
    assert "what is expected to add most" in said or "no two settings are expected" in said
    assert "no per_class.csv lies beside" in said
    ranked = pd.read_csv(out / "predicted.csv").set_index("combination")
    assert ranked.index[-1] == "strong gain"
    assert ranked["cost"]["geometry"] < ranked["cost"]["weak gain"] < ranked["cost"]["strong gain"]
    # An encoder with a head for each keeps what either keeps.
    assert ranked["after"]["both"] > ranked["after"]["strong gain"] + 0.05
    assert (ranked["after_as_read"] <= ranked["after"]).all()
    assert (ranked["cost_as_read"] >= ranked["cost"]).all()
    assert ranked["after_as_read"]["both"] > ranked["after_as_read"]["strong gain"] + 0.05
    agreed = pd.read_csv(out / "agreement.csv").set_index("predictor")
    assert agreed["spearman"]["after"] > 0.7
    assert agreed["p_value"]["after"] >= 2 / 24  # four settings have 24 orders
    lead = agreed["spearman"]["after"] - agreed["spearman"]["moved"]
    assert agreed["spearman"]["ahead"] == pytest.approx(lead)
    lead = agreed["spearman"]["after_as_read"] - agreed["spearman"]["after"]
    assert agreed["spearman"]["as_read_ahead"] == pytest.approx(lead)
    pairs = pd.read_csv(out / "predicted_pairs.csv").set_index(["setting_a", "setting_b"])
    assert len(pairs) == 6
    # What geometry keeps, geometry and gain kept already: a second head that erases more adds nothing.
    assert pairs["gain"]["geometry", "strong gain"] == pytest.approx(0, abs=0.02)
    better = ranked["after"][pairs["better"]].to_numpy()
    assert (pairs["after"] - pairs["gain"]).to_numpy() == pytest.approx(better)
    each = pd.read_csv(out / "predicted_classes.csv")
    for column in ("before", "after", "after_as_read"):  # every contrast is of two classes
        means = each.groupby("combination")[column].mean()
        assert means.to_dict() == pytest.approx(ranked[column].to_dict())


def test_the_p_value_counts_all_orders() -> None:
    predicted, found = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 3, 4, 5])
    result = rank_correlation(predicted[:, None], found[:, None])
    orders = [spearmanr(predicted, order).statistic for order in permutations(found)]
    assert result.value == pytest.approx(0.9)
    low, high = result.interval
    assert low <= result.value <= high
    assert result.p_value == pytest.approx(2 * np.mean([one >= 0.9 - 1e-9 for one in orders]))


def test_pairs_share_settings_and_are_permuted_with_them() -> None:
    expected = np.array([[0, 1, 2, 3], [0, 0, 4, 5], [0, 0, 0, 6], [0, 0, 0, 0]], float)
    found = np.array([[0, 2, 1, 3], [0, 0, 4, 5], [0, 0, 0, 6], [0, 0, 0, 0]], float)
    result = pair_correlation(expected, found)
    above = np.triu_indices(4, 1)
    whole = expected + expected.T
    every = [
        spearmanr(whole[np.ix_(order, order)][above], found[above]).statistic
        for order in permutations(range(4))
    ]
    assert result.value == pytest.approx(every[0])
    best = np.mean([one >= every[0] - 1e-9 for one in every])
    assert result.p_value == pytest.approx(2 * best)
    low, high = result.interval
    assert low < result.value <= high


def test_settings_that_are_all_alike_are_not_correlated() -> None:
    same = rank_correlation(np.ones((5, 1)), np.arange(5.0)[:, None])
    assert np.isnan([same.value, *same.interval, same.p_value]).all()


def test_changes_of_classes_are_those_from_their_own_mean() -> None:
    rng = np.random.default_rng(0)
    change = rng.normal(size=(6, 8))
    level, whole = rng.normal(size=8) * 10, rng.normal(size=(6, 1)) * 10
    # How hard a class is says nothing of what a setting does to it.
    assert rank_correlation(change, np.exp(change - change.mean(axis=0)) + level).value < 1
    assert rank_correlation(change, 2 * change + level).value == pytest.approx(1)
    other = rank_correlation(change + whole, change - whole + level)
    assert other.value < 0
    beyond = rank_correlation(change + whole, change - whole + level, beyond=True)
    assert beyond.value == pytest.approx(1)
    assert beyond.p_value < 0.01
    apart = rank_correlation(change, rng.normal(size=(6, 8)), beyond=True)
    assert apart.interval[0] < 0 < apart.interval[1]


@pytest.mark.parametrize(
    "names", [[f"setting {i}" for i in range(5)], ["0", "0.2", "0.40", "1", "None"]]
)
def test_gains_of_classes_named_by_numbers_are_held_against_training(
    names: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(1)
    digits = ["0", "1", "2"]
    rows = [(name, digit, rng.normal(), rng.normal()) for name in names for digit in digits]
    classes = pd.DataFrame(rows, columns=["combination", "class", "after", "moved"])
    classes["after_as_read"] = -classes["after"]
    settings = classes.groupby("combination").mean(numeric_only=True).reset_index()
    scores = settings.rename(columns={"combination": "embedding", "after": "value"})
    # As a study writes it, with its means and the trainings that they are of, and a score that is none.
    scores = scores.assign(metric="linear", seed="mean", subset="all")
    odd = scores.assign(value=-scores["value"], seed="0")
    none = scores.assign(metric="knn", value=np.nan)
    pd.concat([scores, odd, none]).to_csv(tmp_path / "scores.csv", index=False)
    # As results are published: means alone, without saying so.
    found = classes.rename(columns={"combination": "embedding", "after": "accuracy"})
    found.assign(classifier="linear").to_csv(tmp_path / "per_class.csv", index=False)
    pairs = pd.DataFrame(combinations(names, 2), columns=["setting_a", "setting_b"])
    pairs = pairs.assign(gain=rng.normal(size=10), moved=rng.normal(size=10))
    # Of a setting whose first seed was not finished the name comes second.
    late = pairs["setting_a"] == names[1]
    ends = (
        pairs["setting_a"].mask(late, pairs["setting_b"]),
        pairs["setting_b"].mask(late, names[1]),
    )
    gains = pairs.assign(setting_a=ends[0], setting_b=ends[1], subset="all", metric="linear")
    gains = gains.sample(frac=1, random_state=0)
    unlike = pd.DataFrame({"setting_a": names[:1], "setting_b": names[:1], "gain": 9.0})
    table = pd.concat([gains, unlike.assign(subset="all", metric="linear")])
    table.to_csv(tmp_path / "complement.csv", index=False)
    found = agreement(settings, classes, pairs, tmp_path / "scores.csv")
    table = found.set_index(["of", "predictor"])
    assert set(table["metric"]) == {"linear"}
    assert table["spearman"]["pairs", "after"] == pytest.approx(1)
    assert table["spearman"]["pairs", "moved"] < 0.9
    for of, count in (
        ("settings", 5),
        ("classes", 5),
        ("classes beyond settings", 5),
        ("pairs", 5),
    ):
        assert table["spearman"][of, "after"] == pytest.approx(1)
        if of != "pairs":
            assert table["spearman"][of, "after_as_read"] == pytest.approx(-1)
            assert table["spearman"][of, "as_read_ahead"] == pytest.approx(-2)
        assert table["settings"][of, "after"] == count
    assert table["classes"]["classes", "after"] == 3
    gains.iloc[1:].to_csv(tmp_path / "complement.csv", index=False)
    fewer = agreement(settings, classes, pairs, tmp_path / "scores.csv")
    assert "pairs" not in set(fewer["of"])
    first, second = gains[["setting_a", "setting_b"]].iloc[0].sort_values()
    assert "linear: what pairs gain is not held against training, since 1 of 10" in caplog.text
    assert f"have no score: {first} + {second}" in caplog.text
    gains.rename(columns={"setting_a": "pair"}).to_csv(tmp_path / "complement.csv", index=False)
    with pytest.raises(StudyError, match="run `cellssl study complement` again"):
        agreement(settings, classes, pairs, tmp_path / "scores.csv")


RESULTS = Path(__file__).parents[2] / "protocols" / "studies" / "results"
MEASURED = (
    *("cifar-amplitudes-small", "cifar-audit", "mnist-audit"),
    *("bbbc021-combination", "bbbc021-operations", "bbbc021-audit"),
)


def test_over_all_studies_the_audit_says_which_class_pays_and_amplitude_does_not() -> None:
    """What the results' page claims, of the tables that lie beside it."""
    table = pooled_agreement([RESULTS / name for name in MEASURED])
    low, high = (table.set_index(["metric", "of", "predictor"])[end] for end in ("low", "high"))
    assert (table.loc[table["metric"] == "knn", "studies"] == 6).all()
    for metric in ("knn", "linear"):
        for of in ("classes", "classes beyond settings"):
            assert low[metric, of, "after"] > 0
            assert low[metric, of, "ahead"] > 0
        for of in ("settings", "classes", "classes beyond settings"):
            assert low[metric, of, "as_read_ahead"] < 0 < high[metric, of, "as_read_ahead"]
        assert low[metric, "settings", "after"] > 0.3
        assert low[metric, "settings", "ahead"] < 0
        assert low[f"{metric}_batches", "classes", "after"] < 0


def test_a_pool_of_one_study_is_that_study() -> None:
    folder = RESULTS / "mnist-audit"
    pooled = pooled_agreement([folder]).set_index(["metric", "of", "predictor"])
    alone = pd.read_csv(folder / "agreement.csv").set_index(["metric", "of", "predictor"])
    columns = ["spearman", "low", "high"]
    assert pooled[columns].to_numpy() == pytest.approx(
        alone.loc[pooled.index, columns].to_numpy(),
        abs=0.02,  # published rounded: ties differ
    )


def test_a_pool_says_which_table_a_study_lacks(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"holds no predicted\.csv"):
        pooled_agreement([tmp_path])
    for name in ("predicted", "predicted_classes", "scores"):
        (tmp_path / f"{name}.csv").write_text("combination,class,after,moved\n")
    with pytest.raises(StudyError, match="no column after_as_read: it is of an earlier version"):
        pooled_agreement([tmp_path])
    (tmp_path / "predicted.csv").write_bytes(b"\xff")
    with pytest.raises(StudyError, match=r"predicted\.csv cannot be read as a table .* damaged"):
        pooled_agreement([tmp_path])


def test_scores_of_another_study_are_refused(crops: Path, tmp_path: Path) -> None:
    path, scores = tmp_path / "planted.yaml", tmp_path / "scores.csv"
    path.write_text(STUDY)
    scores.write_text("metric,embedding,seed,subset,value\nknn,other,mean,all,0.5\n")
    with pytest.raises(StudyError, match="fewer than 4 of the study's settings"):
        rank_settings(load_study(path), crops, scores=scores, cells=60)
