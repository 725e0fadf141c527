import logging

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl.errors import EmbeddingError
from cellssl.phenotypes import cluster, combine, evaluate, normalise_features, read_embedding
from cellssl.phenotypes.embeddings.blocks import block_names


def wide(make_embedding, name="wide", *, features=200, **options):
    return make_embedding(name, features=features, **options)


def test_blocks_weigh_alike_whatever_their_width_and_scale(make_embedding):
    small, large = make_embedding("small"), wide(make_embedding, seed=1)
    large.X *= 1000
    both = combine([small, large])
    assert both.shape == (144, 212)
    assert both.X.dtype == np.float32
    for name in ("small", "wide"):
        block = both[:, both.var["block"] == name].X
        np.testing.assert_allclose(block.mean(axis=0), 0, atol=1e-5)
        assert block.var(axis=0).sum() == pytest.approx(1, abs=1e-4)
    # Distances between cells come from both alike.
    parts = [both[:, both.var["block"] == name].X for name in ("small", "wide")]
    lengths = [np.linalg.norm(part[:72] - part[72:], axis=1).mean() for part in parts]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.1)


def test_silent_features_do_not_dilute_a_block(make_embedding):
    cells = make_embedding("silent")
    cells.X[:, 3:] = 7
    both = combine([cells, make_embedding("other", seed=1)])
    silent = both[:, both.var["block"] == "silent"].X
    assert (silent[:, 3:] == 0).all()
    assert silent.var(axis=0).sum() == pytest.approx(1, abs=1e-4)
    described = both.uns["cellssl"]["blocks"]["1"]
    assert (described["features"], described["features_that_vary"]) == (12, 3)


def test_cells_are_matched_by_name_and_what_is_left_out_is_said(make_embedding, caplog):
    one, other = make_embedding("a"), make_embedding("b", seed=1)
    shuffled = other[np.random.default_rng(0).permutation(144)[:100]].copy()
    with caplog.at_level(logging.INFO):
        both = combine([one, shuffled])
    assert both.n_obs == 100
    assert both.uns["cellssl"]["cells_not_in_all"] == 44
    assert caplog.messages == ["44 of 144 cells are not in every embedding and are left out."]
    assert list(both.obs_names) == [name for name in one.obs_names if name in shuffled.obs_names]
    own = other[both.obs_names].X
    expected = (own - own.mean(axis=0)) / own.std(axis=0) / np.sqrt(12)
    np.testing.assert_allclose(both[:, both.var["block"] == "b"].X, expected, atol=1e-5)
    pd.testing.assert_frame_equal(both.obs, one.obs.loc[both.obs_names])


def test_provenance_of_each_is_kept_and_weak_marks_are_inherited(make_embedding, tmp_path):
    used = {"columns": ["Metadata_Compound"], "plates": ["W0_1"]}
    weak = make_embedding("weak", positives="same_treatment", weak=True, labels_used=used)
    own = {"per": "plate", "percentiles": np.array([1.0, 99.9])}
    plain = make_embedding("plain", positives="same_cell", weak=False, scaling=own)
    weak.uns["cellssl"]["seed"] = plain.uns["cellssl"]["seed"] = 3
    combine([weak, plain], tmp_path / "both.h5ad")
    about = read_embedding(tmp_path / "both.h5ad").uns["cellssl"]
    assert about["name"] == "weak + plain"
    assert about["weak"]
    assert about["seed"] == 3
    assert about["positives"] == "same_treatment, same_cell"
    assert [list(names) for names in about["labels_used"].values()] == [*used.values()]
    first, second = about["blocks"]["1"], about["blocks"]["2"]
    assert (first["name"], bool(first["weak"])) == ("weak", True)
    assert (second["name"], bool(second["weak"])) == ("plain", False)
    assert second["scaling"]["per"] == "plate"
    silent = make_embedding("silent", weak=True)
    about = combine([weak, silent]).uns["cellssl"]
    assert [list(names) for names in about["labels_used"].values()] == [[], []]


def test_combinations_are_taken_apart_before_they_are_combined(make_embedding):
    parts = [make_embedding(name, seed=seed) for seed, name in enumerate("abc")]
    nested = combine([combine(parts[:2]), parts[2]])
    flat = combine(parts)
    assert list(nested.var_names) == list(flat.var_names)
    np.testing.assert_allclose(nested.X, flat.X, atol=1e-6)
    assert [block["name"] for block in nested.uns["cellssl"]["blocks"].values()] == list("abc")
    with pytest.raises(EmbeddingError, match="'a' comes twice"):
        combine([combine(parts[:2], name="ab"), parts[0]])


def test_many_blocks_keep_their_order_in_a_file(make_embedding, tmp_path):
    parts = [make_embedding(f"e{seed}", seed=seed, features=2) for seed in range(11)]
    combine(parts, tmp_path / "many.h5ad")
    again = combine([tmp_path / "many.h5ad", make_embedding("last", seed=20)])
    names = [again.uns["cellssl"]["blocks"][str(n)]["name"] for n in range(1, 13)]
    assert names == [*(f"e{seed}" for seed in range(11)), "last"]


def test_seeds_of_one_training_are_told_apart(make_embedding):
    runs = [make_embedding("run", seed=s) for s in range(2)]
    for number, run in enumerate(runs):
        run.uns["cellssl"]["seed"] = number
    both = combine(runs)
    assert set(both.var["block"]) == {"run seed 0", "run seed 1"}
    assert both.uns["cellssl"]["name"] == "run"
    assert "seed" not in both.uns["cellssl"]


@pytest.mark.parametrize(
    "rule", ["standardise", "plate-standardise", "control-percentile", "sphere"]
)
def test_no_normalisation_undoes_the_weights(rule, make_embedding):
    both = combine([make_embedding("small"), wide(make_embedding, seed=1)])
    Z = normalise_features(
        both.X,
        np.arange(144),
        rule=rule,
        plates=both.obs["Metadata_Plate"].to_numpy(),
        controls=(both.obs["Metadata_Control"] == "negative").to_numpy(),
        blocks=block_names(both),
    )
    totals = [Z[:, :12].var(axis=0).sum(), Z[:, 12:].var(axis=0).sum()]
    assert totals == pytest.approx([106, 106], rel=1e-3)  # half of 212 features each
    undone = normalise_features(
        both.X, np.arange(144), plates=both.obs["Metadata_Plate"].to_numpy()
    )
    totals = [undone[:, :12].var(axis=0).sum(), undone[:, 12:].var(axis=0).sum()]
    assert totals == pytest.approx([12, 200], rel=1e-3)


def test_equal_widths_are_scored_as_if_standardised_together(make_embedding):
    parts = [make_embedding("a", signal=1), make_embedding("b", seed=1, signal=1)]
    both = combine(parts, name="x")
    plain = ad.AnnData(np.concatenate([part.X for part in parts], axis=1), obs=parts[0].obs)
    options = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}
    found, expected = (evaluate({"x": cells}, **options) for cells in (both, plain))
    # Leiden's clusters of so few cells change with the last digit of an edge's weight.
    kept = ~found["metric"].str.contains("leiden")
    assert kept.sum() > 10
    np.testing.assert_allclose(found["value"][kept], expected["value"][kept], atol=1e-6)


def test_a_few_good_features_are_not_drowned_by_many_without_signal(make_embedding):
    good = make_embedding("good", signal=1.5)
    noise = wide(make_embedding, "noise", seed=5, signal=0, features=2000)
    both = combine([good, noise], name="both")
    joined = ad.AnnData(np.concatenate([good.X, noise.X], axis=1), obs=good.obs)
    options = {"label": "MOA", "progress": False, "resamples": 5, "seeds": (0,)}
    scores = evaluate({"both": both, "joined": joined}, **options)
    ami = scores[scores["metric"] == "ami_kmeans"].set_index("embedding")["value"]
    assert ami["both"] > ami["joined"] + 0.2
    known = cluster(both).obsm["X_pca"][:, :5]
    assert np.abs(np.corrcoef(known.T, good.X.T)[:5, 5:]).max() > 0.7


def test_mistakes_are_explained(make_embedding, tmp_path):
    with pytest.raises(EmbeddingError, match="two embeddings at least, got a alone"):
        combine([make_embedding("a")])
    other = make_embedding("b")
    other.obs_names = [f"x{n}" for n in range(144)]
    with pytest.raises(EmbeddingError, match="no cell in common"):
        combine([make_embedding("a"), other])
    with pytest.raises(EmbeddingError, match=r"written to a \.h5ad file; got .*both\.csv"):
        combine([make_embedding("a"), make_embedding("b")], tmp_path / "both.csv")
