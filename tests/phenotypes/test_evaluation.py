import json
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import (
    METRICS,
    combine,
    evaluate,
    measure_embeddings,
    read_scores,
)
from cellssl.phenotypes.evaluation import scoring
from cellssl.phenotypes.evaluation.measurement import read_draws
from cellssl.phenotypes.evaluation.score_tables import read_fingerprint
from cellssl.scores import clusters

LABEL = "Metadata_MOA"


def score(embeddings, **options):
    return evaluate(embeddings, label=LABEL, progress=False, resamples=50, seeds=(0,), **options)


def value(table, metric, **where):
    rows = table[(table.metric == metric) & (table.seed == "mean")]
    for name, wanted in where.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1
    return rows.iloc[0]


def test_signal_is_found_and_noise_is_not(make_embedding):
    table = score([make_embedding("good"), make_embedding("noise", signal=0)])
    assert set(table.metric) == {*METRICS, "nsc", "nscb"}
    for metric in ("ami_kmeans", "knn", "linear"):
        row = value(table, metric, embedding="good")
        assert row["value"] > 0.6
        assert row.low <= row["value"] <= row.high
    assert abs(value(table, "ami_kmeans", embedding="noise")["value"]) < 0.1
    assert value(table, "knn", embedding="noise")["value"] < 0.5
    assert set(table[table.metric == "knn"].split) == {"plates"}
    assert value(table, "ami_plate", embedding="good")["value"] < 0.1
    treatments = table.metric.isin(["nsc", "nscb"])
    assert (table.n[~treatments] == 144).all()
    assert (table.n[table.metric == "nsc"] == 6).all()


def test_a_plate_effect_shows_in_the_confounder(make_embedding):
    table = score([make_embedding(signal=0.3, plate_effect=4)])
    assert value(table, "ami_plate")["value"] > 0.8
    table = score([make_embedding(signal=3, plate_effect=4)], normalise="plate-standardise")
    assert value(table, "ami_plate")["value"] < 0.1


def test_files_are_written_and_read_back(make_embedding, tmp_path):
    table = score([make_embedding("a"), make_embedding("b", seed=1)], out=tmp_path / "new")
    pd.testing.assert_frame_equal(read_scores(tmp_path / "new" / "scores.csv"), table)
    content = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert content["cells"]["scored"] == 144
    assert len(content["scores"]) == len(table)
    assert (tmp_path / "new" / "differences.csv").exists()


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("scores.json", b'{"label":', lambda folder: read_fingerprint(folder / "scores.csv")),
        ("scores.json", b"[1]", lambda folder: read_fingerprint(folder / "scores.csv")),
        ("scores.csv", b"", lambda folder: read_scores(folder / "scores.csv")),
        ("scores.csv", b"a,b\n\xff,1\n", lambda folder: read_scores(folder / "scores.csv")),
        ("scores.csv", b"embedding\n1\n", lambda folder: read_scores(folder / "scores.csv")),
        ("draws.npz", b"PK\x03\x04", read_draws),
    ],
)
def test_damaged_files_of_scores_are_named(tmp_path, name, content, read):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        EmbeddingError, match=rf"{name} cannot be read .* Score the embeddings again"
    ):
        read(tmp_path)


def test_classes_that_differ_in_capitals_or_blanks_alone_are_said(make_embedding, caplog):
    cells = make_embedding()
    score([cells])
    assert "alone count" not in caplog.text
    cells.obs[LABEL] = cells.obs[LABEL].where(np.arange(144) % 4 > 0, "d m so")
    score([cells])
    assert f"{LABEL}: names that differ in capitals or blanks alone count as" in caplog.text
    assert "different ones: DMSO and d m so. Where" in caplog.text


def test_subsets_where_and_missing_labels(make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_benchmark"] = np.arange(144) % 2 == 0
    cells.obs.iloc[0, cells.obs.columns.get_loc(LABEL)] = None
    measured = measure_embeddings(
        [cells],
        label=LABEL,
        where="Metadata_benchmark",
        subsets={"two": ["Actin", "DMSO"]},
        progress=False,
        resamples=20,
    )
    assert measured.counts == {
        "matched": 144,
        "outside": 72,
        "unlabelled": 1,
        "scored": 71,
        "dropped": 0,
    }
    assert value(measured.scores, "knn", subset="all").n == 71
    two = value(measured.scores, "knn", subset="two")
    assert (two.n, two.classes) == (44, 2)


def test_one_plate_is_split_by_wells_and_says_why_plates_cannot_be_scored(make_embedding):
    cells = make_embedding()[:48].copy()
    table = score([cells])
    assert value(table, "knn").split == "wells"
    for metric in ("ami_plate", "linear_plate"):
        row = value(table, metric)
        assert np.isnan(row["value"])
        assert row.note == "one plate only"
    del cells.obs["Metadata_Plate"], cells.obs["Metadata_Well"], cells.obs["Metadata_Batch"]
    table = score([cells])
    assert "no two plates, no two wells" in value(table, "linear").note
    assert "no column Metadata_Batch" in value(table, "ami_batch").note


def test_a_class_on_one_plate_is_named(make_embedding):
    cells = make_embedding()
    labels = cells.obs[LABEL].astype(object)
    labels[(cells.obs["Metadata_Plate"] == "W0_1") & (labels == "Actin")] = "Rare"
    cells.obs[LABEL] = labels
    told = value(score([cells]), "knn").note
    assert told == "1 of 4 classes count 0, cannot be found, in one group only: Rare"


def test_a_label_that_goes_with_plates_is_told(make_embedding):
    cells = make_embedding()
    side = np.where(np.arange(cells.n_obs) % 2, "left", "right")
    cells.obs["Metadata_Plate"] = cells.obs["Metadata_Plate"].astype(str) + side
    cells.obs["Metadata_Side"] = side
    told = "apart by plates, every group holds one class alone: what tells groups passes for"
    sides = evaluate([cells], label="Side", progress=False, resamples=50, seeds=(0,))
    for metric in ("knn", "linear"):
        assert value(sides, metric).note.startswith(told)
        assert value(score([cells]), metric).note == ""


def test_where_no_class_lies_in_two_wells_nothing_scores_nothing(make_embedding):
    cells = make_embedding()
    cells.obs[LABEL] = cells.obs["Metadata_Plate"].astype(str) + cells.obs["Metadata_Well"].astype(
        str
    )
    table = score([cells], groups="well")
    for name in ("knn", "linear"):
        found = value(table, name)
        assert np.isnan(found.value)
        assert found.note == "no class lies in two wells: none can be found"


def test_cells_of_a_class_each_are_too_few(make_embedding):
    cells = make_embedding()
    cells.obs[LABEL] = [f"class {i}" for i in range(cells.n_obs)]
    assert value(score([cells]), "knn").note == "144 cells of 144 classes are too few"


def test_where_kmeans_has_fewer_starts_its_row_says_so(make_embedding, monkeypatch):
    cells = make_embedding()
    assert value(score([cells]), "ami_kmeans").note == ""
    monkeypatch.setattr(clusters, "MOST_COMPARED", 1)
    found = value(score([cells]), "ami_kmeans").note
    assert found == "k-means of 3 clusters from 1 start a seed, in place of 10"


def test_the_bar_counts_every_score(make_embedding, monkeypatch):
    display = MagicMock()
    monkeypatch.setattr(scoring, "bar", MagicMock(return_value=display))
    subsets = {"two": ["DMSO", "Actin"]}
    table = score([make_embedding("a"), make_embedding("b")], subsets=subsets)
    inside = display.__enter__.return_value
    assert inside.add_task.call_args.kwargs["total"] == len(table)
    assert inside.advance.call_count == len(table)


def test_any_column_may_keep_apart(make_embedding):
    table = score([make_embedding()], groups="Metadata_Compound")
    assert value(table, "knn").split == "Metadata_Compound"


def test_starts_are_how_many_or_which(make_embedding):
    some = {"label": LABEL, "progress": False, "resamples": 20}
    two = evaluate(make_embedding(), seeds=[0, 1], **some)
    pd.testing.assert_frame_equal(evaluate(make_embedding(), seeds=2, **some), two)
    with pytest.raises(EmbeddingError, match=r"seeds: wanted .* got 1.5"):
        evaluate(make_embedding(), seeds=1.5, **some)


def test_a_linear_classifier_of_very_many_numbers_is_announced(make_embedding, monkeypatch, caplog):
    score([make_embedding()])
    assert "from minutes to hours" not in caplog.text
    monkeypatch.setattr(scoring, "_LONG", 9)
    score([make_embedding("wide")])
    assert "classes: the linear classifier takes from minutes to hours" in caplog.text


def test_training_seeds_are_repetitions(make_embedding):
    runs = [make_embedding("run", seed=s) for s in range(3)]
    for number, run in enumerate(runs):
        run.uns["cellssl"]["seed"] = number
        elsewhere = {"columns": ["Metadata_Compound"], "plates": ["another plate"]}
        run.uns["cellssl"] |= {"weak": True, "labels_used": elsewhere}
    table = score([*runs, make_embedding("base", signal=0)])
    rows = table[(table.embedding == "run") & (table.metric == "linear")].set_index("seed")
    assert list(rows.index) == ["mean", "0", "1", "2"]
    single = rows.loc[["0", "1", "2"], "value"]
    assert rows.loc["mean", "value"] == pytest.approx(single.mean())
    assert rows.loc["mean", "replicates"] == 3
    assert rows.weak.all()
    assert not table[table.embedding == "base"].weak.any()
    assert list(table[table.embedding == "base"].seed.unique()) == ["mean"]


def test_comparison_tells_apart_what_differs_and_not_what_is_alike(make_embedding):
    good, alike, noise = (
        make_embedding("good"),
        make_embedding("alike", seed=1),
        make_embedding("noise", signal=0),
    )
    measured = measure_embeddings([good, alike, noise], label=LABEL, progress=False, resamples=100)
    table = measured.differences()
    rows = table[table.metric == "linear"].set_index(["embedding_a", "embedding_b"])
    assert rows.loc[("good", "noise"), "apart"]
    assert rows.loc[("good", "noise"), "low"] > 0
    assert not rows.loc[("good", "alike"), "apart"]
    measured = measure_embeddings({"a": good, "b": good}, label=LABEL, progress=False, resamples=20)
    same = measured.differences()
    # All treatments share all batches, and all wells lie in row A.
    nothing = [f"{metric}_{place}" for metric in ("ami", "linear") for place in ("row", "edge")]
    assert same["apart"].isna().equals(same["metric"].isin(["nscb", *nothing]))
    same = same[same["apart"].notna()]
    assert (same[["difference", "low", "high"]].abs() < 1e-9).all(axis=None)
    assert not same["apart"].any()


def test_seeds_that_differ_much_widen_the_interval(make_embedding):
    def runs(signals):
        made = [make_embedding("run", seed=0, signal=signal) for signal in signals]
        for number, run in enumerate(made):
            run.uns["cellssl"]["seed"] = number
        return value(score(made), "linear")

    steady, shaky = runs([2, 2, 2]), runs([0, 2, 4])
    assert shaky.high - shaky.low > 1.5 * (steady.high - steady.low)


def test_features_of_other_orientations_are_not_compared_in_silence(make_embedding, caplog):
    eight = [make_embedding(name, orientations=8) for name in ("a", "b")]
    table, statistics = make_embedding("table"), make_embedding("means", orientations="any")
    evaluate([*eight, table, statistics, combine([*eight, statistics], name="d")], label="MOA")
    assert "orientations" not in caplog.text  # of a table nobody knows
    for other in (make_embedding("c", orientations=1), make_embedding("c", model="of old")):
        caplog.clear()
        evaluate([*eight, other], label="MOA")
        assert "different numbers of orientations of a cell: c of 1; a and b of 8" in caplog.text
    caplog.clear()
    evaluate([eight[0], combine([eight[0], other], name="both")], label="MOA")
    assert "both of 1; a and both of 8" in caplog.text


def test_a_baseline_that_saw_other_pixels_is_said(make_embedding, caplog):
    def rule(per, transform="sqrt"):
        return {"per": per, "percentiles": np.array([1.0, 99.9]), "transform": transform}

    as_run = {"crop_size": 32, "scaling": rule("global"), "channels": np.array(["DNA", "Actin"])}
    run = make_embedding("run", protocol="mine", **as_run)
    alike = make_embedding("alike", **{**as_run, "channels": ["Actin", "DNA"]})
    evaluate([run, alike, make_embedding("table")], label="MOA")
    assert "was shown these cells otherwise" not in caplog.text
    for other, saw in (
        (
            {"crop_size": 40, "scaling": rule("plate")},
            "Actin, DNA at 40 px, percentiles 1 to 99.9 (plate), sqrt",
        ),
        ({"channels": ["DNA"]}, "DNA at 32 px, percentiles 1 to 99.9 (global), sqrt"),
    ):
        caplog.clear()
        evaluate([run, alike, make_embedding("means", **{**as_run, **other})], label="MOA")
        assert (
            f"means saw {saw}; run saw Actin, DNA at 32 px, percentiles 1 to 99.9 (global), sqrt"
            in caplog.text
        )


def test_only_common_cells_are_scored(make_embedding, caplog):
    table = score([make_embedding("a"), make_embedding("b")[20:].copy()])
    assert set(table.n[~table.metric.isin(["nsc", "nscb"])]) == {124}
    assert "20 of 144" in caplog.text


def test_an_embedding_that_could_not_be_had_says_why(make_embedding):
    measured = measure_embeddings(
        [make_embedding()],
        label=LABEL,
        absent={"resnet101": "weights are not at hand"},
        progress=False,
        resamples=20,
    )
    rows = measured.scores[measured.scores.embedding == "resnet101"]
    assert rows["value"].isna().all()
    assert set(rows.note) == {"weights are not at hand"}
    assert measured.differences()["apart"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "Metadata_MOOA"}, "did you mean .*Metadata_MOA"),
        ({"label": "Metadata_Site"}, "one class only, '1':"),
        ({"label": "Metadata_Position"}, "bin it"),
        ({"where": "Metadata_MOA"}, "true or false"),
        ({"subsets": {"x": ["Aktin", "DMSO"]}}, "did you mean 'Actin'"),
        ({"subsets": {"x": ["Actin"]}}, "wanted two"),
        ({"subsets": {"x": "Actin"}}, r"wanted \{\"name\": \[classes, …\]\}, got \{'x': 'Actin'\}"),
        ({"subsets": ["Actin", "DMSO"]}, r"wanted .* got \['Actin', 'DMSO'\]"),
        ({"subsets": {"x": ["DMSO", "c1"]}, "label": "Metadata_Many"}, "c10, .* and 132 more"),
        ({"subsets": {"all": ["Actin", "DMSO"]}}, "cannot be called"),
        ({"subsets": {"x": ["a", "b"]}, "label": "Metadata_Pairs"}, "stands in double quotes"),
        ({"groups": "Metadata_Plates"}, "did you mean 'Metadata_Plate'"),
        ({"normalise": "zscore"}, "unknown normalisation"),
        ({"seeds": ()}, "seeds: wanted one at least"),
    ],
)
def test_mistakes_are_explained(change, message, make_embedding):
    cells = make_embedding()
    cells.obs["Metadata_Position"] = np.random.default_rng(0).random(144)
    cells.obs["Metadata_Pairs"] = ["a, b" if i % 2 else "c" for i in range(144)]
    cells.obs["Metadata_Many"] = [f"c{i + 10}" for i in range(144)]
    with pytest.raises(EmbeddingError, match=message):
        evaluate([cells], **{"label": LABEL, "progress": False, **change})


def test_cells_with_other_labels_are_not_the_same_cells(make_embedding):
    one, other = make_embedding("a"), make_embedding("b")
    other.obs[LABEL] = other.obs[LABEL].to_numpy()[::-1]
    with pytest.raises(EmbeddingError, match="not the same cells"):
        score([one, other])


def test_the_label_is_the_firsts_that_has_it_and_another_one_is_said(make_embedding, caplog):
    plain, wide = make_embedding("plain"), make_embedding("wide", seed=1)
    none = make_embedding("none", seed=2)
    del plain.obs["Metadata_MOA"], none.obs["Metadata_MOA"], none.obs["Metadata_Compound"]
    few = {"seeds": [0], "resamples": 2, "progress": False}
    scores = evaluate([none, plain, wide], **few)
    assert set(scores["label"]) == {"Metadata_Compound"}
    assert (
        "plain has Metadata_Compound, and wide by itself would be scored against Metadata_MOA "
        "(--label MOA)" in caplog.text
    )
    caplog.clear()
    assert set(evaluate([plain, wide], label="moa", **few)["label"]) == {"Metadata_MOA"}
    assert set(evaluate([wide, none], **few)["label"]) == {"Metadata_MOA"}
    assert "by itself" not in caplog.text


def test_twenty_seven_statistics_on_real_cells(data):
    """Intensity statistics of real cells: AMI 0.245, kNN 0.354, linear 0.449 measured before."""
    import anndata as ad
    import h5py

    table = pd.read_csv(data / "bbbc021" / "crops" / "cells.csv")
    with h5py.File(data / "bbbc021" / "crops" / "crops.h5") as file:
        pixels = file["crops"][:].astype(np.float32)
    low, high = np.percentile(pixels[::5].transpose(1, 0, 2, 3).reshape(3, -1), [1, 99.9], axis=1)
    chosen = table.benchmark.to_numpy()
    X = (pixels[chosen][:, :, 2:-2, 2:-2] - low[:, None, None]) / (high - low)[:, None, None]
    X = np.sqrt(X.clip(0, 1)).reshape(chosen.sum(), 3, -1)
    quantiles = np.percentile(X, [5, 25, 50, 75, 95, 99], axis=2).transpose(1, 0, 2)
    parts = [X.mean(2), X.std(2), quantiles.reshape(len(X), -1), (X > 0.3).mean(2)]
    obs = table[chosen].set_index("cell_id")[["plate", "well", "compound", "concentration"]]
    obs.columns = [f"Metadata_{name.capitalize()}" for name in obs.columns]
    obs[LABEL] = table[chosen].moa.to_numpy()
    cells = ad.AnnData(np.concatenate(parts, axis=1).astype(np.float32), obs=obs)
    scores = evaluate([cells], label=LABEL, progress=False, resamples=100)
    assert cells.shape == (1482, 27)
    for metric, known, near in (
        ("ami_kmeans", 0.245, 0.015),
        ("knn", 0.354, 0.02),
        ("linear", 0.449, 0.04),
    ):
        own = value(scores, metric, embedding="embedding 1")
        assert own["value"] == pytest.approx(known, abs=near)
        # These crops were drawn evenly over classes, so that their number in a well tells the class: what
        # a score is worth on them, the row of cell counts says; the cosine of one number is but its sign.
        least = 0.05 if metric == "knn" else 0.1
        assert value(scores, metric, embedding="cell-count")["value"] > least
    plate = value(scores, "linear_plate", embedding="embedding 1")
    assert plate["value"] > 3 / plate["classes"]


def test_where_one_class_alone_lies_in_two_wells_nothing_is_scored_either(make_embedding):
    cells = make_embedding()[
        :48
    ].copy()  # one plate: two wells of DMSO, one of each other treatment
    wells = cells.obs["Metadata_Well"].astype(str)
    cells.obs[LABEL] = np.where(wells.isin(["A01", "A02"]), "DMSO", wells)
    found = value(score([cells]), "knn")
    assert np.isnan(found.value)
    assert found.note == "only DMSO lies in two wells: no other can be found"


@pytest.mark.parametrize("line", ["row", "column"])
def test_plates_whose_rows_or_columns_are_classes_are_said(make_embedding, caplog, line):
    cells = make_embedding()
    few = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}
    evaluate([cells], **few)
    assert "passes for MOA" not in caplog.text  # a row of wells: each column is but one
    kinds = cells.obs["Metadata_MOA"].map({"DMSO": 0, "Stabiliser": 1, "Actin": 2})
    across = cells.obs["Metadata_Well"].str[1:].astype(int)
    along, other = (across, kinds + 1) if line == "row" else (kinds + 1, across)
    rows = other.map(dict(enumerate("?ABCDEFGH")))
    cells.obs["Metadata_Well"] = rows + along.astype(str).str.zfill(2)
    evaluate([cells], **few)
    assert f"every {line} of the plates holds one MOA alone" in caplog.text
    assert caplog.text.count("passes for MOA") == 1
    cells.obs.loc[cells.obs_names[0], "Metadata_MOA"] = "Actin"
    caplog.clear()
    evaluate([cells], **few)
    assert "passes for MOA" not in caplog.text


def test_cells_without_a_plate_are_said(make_embedding, caplog):
    cells = make_embedding()
    few = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}
    evaluate([cells], **few)
    assert "name no plate" not in caplog.text
    cells.obs.loc[cells.obs_names[:7], "Metadata_Plate"] = [None, "", " ", np.nan, "", None, ""]
    evaluate([cells], **few)
    assert "7 of 144 cells name no plate (Metadata_Plate is empty) and count as one" in caplog.text
