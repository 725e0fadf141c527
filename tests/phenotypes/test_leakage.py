import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cellssl.cli.application import app
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import combine, evaluate, measure_embeddings
from cellssl.phenotypes.leakage import UsedLabels, fair_cells

TREATMENT = ["Metadata_Compound", "Metadata_Concentration"]
WELL = ["Metadata_Plate", "Metadata_Well"]
FEW = {"progress": False, "resamples": 5, "seeds": (0,)}


@pytest.fixture
def weak(make_embedding):
    """Make an embedding whose training took positives by some columns of some plates."""

    def make(columns=TREATMENT, plates=("W0_1", "W1_1"), name="weak"):
        used = {"columns": np.array(columns, object), "plates": np.array(plates, object)}
        return make_embedding(name, weak=True, positives="same_treatment", labels_used=used)

    return make


def test_a_label_that_training_used_is_not_scored_where_it_was_used(weak):
    with pytest.raises(EmbeddingError) as caught:
        evaluate([weak()], label="MOA", **FEW)
    said = str(caught.value)
    assert (
        "weak: its training took Metadata_Compound, Metadata_Concentration of 2 plates (W0_1, W1_1)"
        in said
    )
    assert "Metadata_MOA follows from that" in said
    assert (
        "Score the 48 cells of 1 plate whose labels training never used: held_out=True (--held-out)"
        in said
    )


def test_held_out_plates_are_scored_instead(weak, make_embedding):
    measured = measure_embeddings(
        [weak(), make_embedding("own")], label="MOA", held_out=True, **FEW
    )
    assert (measured.counts["scored"], measured.counts["used"]) == (48, 96)
    scores = measured.scores
    cells = ~scores["metric"].isin(["nsc", "nscb"])
    assert (scores.loc[cells, "n"] == 48).all()  # for every embedding of the table
    assert set(scores.loc[scores["metric"] == "knn", "split"]) == {"wells"}  # one plate is left
    assert scores.groupby("embedding")["weak"].all().to_dict() == {"own": False, "weak": True}


def test_nothing_changes_without_weak_labels(make_embedding):
    cells = make_embedding()
    plain, held = (evaluate([cells], label="MOA", held_out=held, **FEW) for held in (False, True))
    assert plain.equals(held)


@pytest.mark.parametrize(
    ("columns", "label", "told"),
    [
        (TREATMENT, "Metadata_MOA", True),
        (TREATMENT, "Metadata_Compound", True),
        (TREATMENT, "Metadata_Plate", False),
        (TREATMENT, "Metadata_Shape", False),
        (WELL, "Metadata_MOA", True),
        (WELL, "Metadata_Plate", True),
        (WELL, "Metadata_Shape", False),
        (["Metadata_MOA"], "Metadata_MOA", True),
        (["Metadata_MOA"], "Metadata_Compound", False),  # two compounds a mechanism
        (["Metadata_Elsewhere"], "Metadata_Shape", True),  # cannot be looked up
        ([], "Metadata_Shape", True),
    ],
)
def test_what_follows_from_the_labels_that_were_used(columns, label, told, make_embedding):
    obs = make_embedding().obs
    obs["Metadata_Shape"] = np.random.default_rng(0).choice(
        ["round", "long"], len(obs), p=[0.9, 0.1]
    )
    used = UsedLabels(tuple(columns), ("W0_1", "W1_1"))
    assert used.tell(obs, label) is told
    fair = fair_cells(obs, label, {"x": used, "own": None})
    assert fair.tolist() == ((obs["Metadata_Plate"] == "W2_1").to_numpy() | (not told)).tolist()


def test_a_label_with_one_value_was_not_learnt(make_embedding):
    obs = make_embedding().obs
    used = UsedLabels(tuple(WELL), ("W0_1",))
    assert not used.tell(obs, "Metadata_Plate")
    assert not UsedLabels(tuple(WELL), ("of another screen",)).tell(obs, "Metadata_MOA")


@pytest.mark.parametrize("unmarked", ["", np.nan])
def test_marked_controls_tell_what_they_are(unmarked, make_embedding):
    obs = make_embedding().obs
    halves = np.where(np.arange(len(obs)) % 2, " a", " b")
    kinds = obs["Metadata_MOA"].astype(str) + halves
    first, second = sorted(set(kinds))[:2]
    used = UsedLabels(("Metadata_Control",), ("W0_1",))
    obs = obs.assign(Metadata_MOA=kinds)
    assert len(set(kinds[used.rows(obs)])) > 3
    marks = pd.Series(unmarked, obs.index, dtype=object)
    both = obs.assign(
        Metadata_Control=marks.mask(kinds == first, "negative").mask(kinds == second, "positive")
    )
    # All others are marked by nothing, and of many kinds: that makes no score of the controls fair.
    assert used.tell(both, "Metadata_MOA")
    one = obs.assign(Metadata_Control=marks.mask(kinds == first, "negative"))
    assert not used.tell(one, "Metadata_MOA")


def test_a_few_odd_groups_make_no_score_fair(weak):
    cells = weak()
    moa = cells.obs["Metadata_MOA"].astype(object)
    moa.iloc[12] = "Actin"  # one cell of one of the 7 treatments
    cells.obs["Metadata_MOA"] = moa
    groups = UsedLabels(tuple(WELL), ())
    assert groups.tell(cells.obs, "Metadata_MOA")  # 23 of 24 wells agree


def test_plates_of_all_trainings_are_held_out(weak):
    both = [weak(plates=["W0_1"], name="a"), weak(plates=["W2_1"], name="b")]
    measured = measure_embeddings(both, label="MOA", held_out=True, **FEW)
    assert measured.counts["used"] == 96
    with pytest.raises(EmbeddingError, match=r"a .and 1 more.: its training took"):
        evaluate(both, label="MOA", **FEW)
    measured = measure_embeddings([combine(both)], label="MOA", held_out=True, **FEW)
    assert measured.counts["used"] == 96
    assert measured.scores["weak"].all()


@pytest.mark.parametrize("plates", [("W0_1", "W1_1", "W2_1"), ()])
def test_where_all_plates_were_used_it_says_how_to_train(plates, weak):
    for held in (False, True):
        with pytest.raises(EmbeddingError, match=r"exclude_plates.* suggest --plate PLATE"):
            evaluate([weak(plates=plates)], label="MOA", held_out=held, **FEW)


def test_an_embedding_that_does_not_say_which_labels_is_not_scored(make_embedding):
    with pytest.raises(EmbeddingError, match="marked weak, and its provenance does not say which"):
        evaluate([make_embedding(weak=True)], label="MOA", **FEW)


def test_cells_joined_without_their_record_are_told(weak, make_embedding, caplog):
    cells = weak()
    cells.uns["cellssl"]["model"] = "run"
    cells.var_names = [f"feature_{i}" for i in range(cells.n_vars)]
    plates = [cells[cells.obs["Metadata_Plate"] == name] for name in ("W0_1", "W1_1", "W2_1")]
    evaluate([ad.concat(plates)], label="MOA", **FEW)
    assert 'concat(…, uns_merge="same") keeps it' in caplog.text
    caplog.clear()
    with pytest.raises(EmbeddingError, match="Metadata_MOA follows from that"):
        evaluate([ad.concat(plates, uns_merge="same")], label="MOA", **FEW)
    evaluate([make_embedding()], label="MOA", **FEW)
    assert "uns" not in caplog.text


def test_cells_that_are_not_scored_may_have_been_used(weak):
    cells = weak()
    cells.obs["new"] = cells.obs["Metadata_Plate"] == "W2_1"
    scores = evaluate([cells], label="MOA", where="new", **FEW)
    assert set(scores.loc[scores["metric"] == "knn", "n"]) == {48}


def test_on_the_command_line(weak, tmp_path):
    weak().write_h5ad(tmp_path / "weak.h5ad")
    arguments = ["evaluate", tmp_path / "weak.h5ad", "--label", "MOA", "-o", tmp_path / "scores"]
    refused = CliRunner().invoke(app, list(map(str, arguments)))
    assert refused.exit_code == 1
    assert "--held-out" in refused.output
    assert not (tmp_path / "scores").exists()
    result = CliRunner().invoke(app, [*map(str, arguments), "--held-out"])
    assert result.exit_code == 0, result.output
    counts = json.loads((tmp_path / "scores" / "scores.json").read_text())["cells"]
    assert (counts["scored"], counts["used"]) == (48, 96)


def test_used_plates_stand_beside_fair_ones_for_those_who_ask(weak, make_embedding):
    given = [weak(), make_embedding("own")]
    asked = measure_embeddings(given, label="MOA", held_out=True, used_plates=True, **FEW)
    fair = measure_embeddings(given, label="MOA", held_out=True, **FEW)
    scores = asked.scores
    plain = scores[scores["subset"] == "all"].reset_index(drop=True)
    assert plain.equals(fair.scores)  # they are as they would be alone
    used = scores[(scores["subset"] == "used plates") & ~scores["metric"].isin(["nsc", "nscb"])]
    assert set(used["n"]) == {96}
    assert set(used.loc[used["metric"] == "knn", "split"]) == {"plates"}
    marked = used["note"].str.contains("says nothing of new plates")
    assert marked.groupby(used["embedding"]).agg(["min", "max"]).to_numpy().tolist() == [
        [False, False],  # own
        [True, True],
    ]
    only = make_embedding()
    rows = only.obs["Metadata_Plate"].isin(["W0_1", "W1_1"])
    alone = evaluate([only[rows].copy()], label="MOA", **FEW)
    own = used[(used["embedding"] == "own") & (used["metric"] == "knn")]["value"].item()
    assert own == alone.loc[alone["metric"] == "knn", "value"].iloc[0]


def test_used_plates_are_never_shown_by_themselves(weak, make_embedding, caplog):
    with pytest.raises(EmbeddingError, match="goes with held_out"):
        evaluate([weak()], label="MOA", used_plates=True, **FEW)
    with pytest.raises(EmbeddingError, match="cannot be called 'used plates'"):
        evaluate([weak()], label="MOA", subsets={"used plates": ["Actin", "DMSO"]}, **FEW)
    scores = evaluate([make_embedding()], label="MOA", held_out=True, used_plates=True, **FEW)
    assert set(scores["subset"]) == {"all"}
    assert "there are no used plates to score" in caplog.text


def test_no_used_plate_among_the_chosen_cells_is_no_mistake(weak, caplog):
    cells = weak()
    cells.obs["Metadata_New"] = ~cells.obs["Metadata_Plate"].isin(["W0_1", "W1_1"])
    asked = {"label": "MOA", "where": "New", "held_out": True, "used_plates": True}
    assert set(evaluate([cells], **asked, **FEW)["subset"]) == {"all"}
    assert "there are no used plates to score" in caplog.text


def test_used_plates_on_the_command_line(weak, tmp_path):
    weak().write_h5ad(tmp_path / "weak.h5ad")
    arguments = ["evaluate", tmp_path / "weak.h5ad", "--label", "MOA", "-o", tmp_path / "scores"]
    asked = [*map(str, arguments), "--held-out", "--used-plates"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "used plates" in result.output
    assert "says nothing of new plates" in (tmp_path / "scores" / "scores.csv").read_text()
