"""What a study's runs say: tables, combinations, pairs, the page."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cellssl import __version__
from cellssl.errors import StudyError
from cellssl.phenotypes import Measurements, combine, evaluate, score_difference
from cellssl.studies import Outcome, Study, complement, write_study_page
from cellssl.studies.complement import PAIR
from cellssl.studies.outcome import trained_names
from cellssl.studies.page import _score


def test_every_combination_has_its_setting_and_its_seeds(outcome: Outcome) -> None:
    scores = outcome.scores
    names = list(dict.fromkeys(scores["embedding"]))
    assert names == ["expert", "geometry", "both", "expert, two seeds", "simple-features"]
    own = scores[scores["embedding"].isin(["expert", "geometry"])]
    assert (own["views"] == own["embedding"]).all()
    assert scores.loc[~scores.index.isin(own.index), "views"].isna().all()
    replicates = scores.groupby("embedding")["replicates"].max().to_dict()
    # Of two seeds there is one pair: it is counted once.
    expected = {"expert": 2, "geometry": 2, "both": 2, "expert, two seeds": 1}
    assert replicates == {**expected, "simple-features": 1}
    assert trained_names(scores) == {"expert", "geometry"}
    assert outcome.baselines == ("simple-features",)
    assert outcome.missing == {}


def test_the_tables_are_written(outcome: Outcome) -> None:
    scores = pd.read_csv(outcome.folder / "scores.csv")
    assert len(scores) == len(outcome.scores)
    assert repr(outcome).endswith(f"unfinished, {outcome.folder})")
    assert scores.columns[0] == "views"
    for name in ("differences", "per_class", "confusion", "runs"):
        assert len(pd.read_csv(outcome.folder / f"{name}.csv"))


def test_a_study_scores_as_evaluate_does(outcome: Outcome, carried_out: Path) -> None:
    files = sorted((carried_out / "runs").glob("expert-*/embedding.h5ad"))
    found = evaluate(files, label="MOA", progress=False)
    found = found[(found["embedding"] == "expert") & (found["seed"] == "mean")]
    own = outcome.scores[
        (outcome.scores["embedding"] == "expert") & (outcome.scores["seed"] == "mean")
    ]
    values = own.set_index("metric")["value"]
    pd.testing.assert_series_equal(
        values, found.set_index("metric")["value"].loc[values.index], check_names=False
    )


def test_combinations_are_made_seed_by_seed(carried_out: Path, outcome: Outcome) -> None:
    runs = carried_out / "runs"
    for seed in (0, 1):
        parts = [runs / f"{name}-seed{seed}" / "embedding.h5ad" for name in ("expert", "geometry")]
        found = ad.read_h5ad(outcome.folder / "beside" / f"both-seed{seed}.combined.h5ad")
        np.testing.assert_array_equal(found.X, combine(parts).X)
        assert int(found.uns["cellssl"]["seed"]) == seed


def test_a_difference_is_turned_around(outcome: Outcome) -> None:
    table = outcome.measured.differences()
    there = score_difference(table, "expert", "both", metric="knn")
    back = score_difference(table, "both", "expert", metric="knn")
    assert back["difference"] == -there["difference"]
    assert (back["low"], back["high"]) == (-there["high"], -there["low"])
    assert back["apart"] == there["apart"]


def test_the_page_opens_with_what_was_found(tiny: Study, outcome: Outcome) -> None:
    page = write_study_page(tiny, outcome)
    text = page.read_text()
    assert text.index("What was found") < text.index("Which protocol tells most")
    found = text[: text.index("Which protocol tells most")]
    assert {"best baseline", "difference"} <= set(
        re.findall(r'<th scope="col"[^>]*>([^<]+)', found)
    )
    assert "Fewer than three seeds" in text
    assert "share trainings" in text
    assert "All runs are finished" in text
    assert f"Written by cellssl {__version__} on 20" in text
    assert (outcome.folder / "scores-all.png").stat().st_size > 10_000


def test_the_page_says_why_scores_are_missing(tiny: Study, outcome: Outcome) -> None:
    reason = "only DMSO lies in two wells: no other can be found"
    scores = outcome.scores.copy()
    scores.loc[scores["metric"] == "knn", ["value", "low", "high"]] = np.nan
    scores.loc[scores["metric"] == "knn", "note"] = reason
    page = write_study_page(tiny, replace(outcome, scores=scores)).read_text()
    assert page.count(reason) == 1  # once for all
    assert reason not in write_study_page(tiny, outcome).read_text()
    elsewhere = scores.assign(subset=scores["subset"].where(scores["metric"] != "knn", "few"))
    assert reason not in write_study_page(tiny, replace(outcome, scores=elsewhere)).read_text()


@pytest.mark.parametrize(
    ("framed", "said"), [(True, "; framed where"), (False, "; no 95 % interval excludes 0")]
)
def test_frames_are_spoken_of_where_there_are_some(
    tiny: Study, outcome: Outcome, framed: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    differences = outcome.measured.class_differences.assign(apart=framed)
    monkeypatch.setitem(vars(outcome.measured), "class_differences", differences)
    page = write_study_page(tiny, outcome).read_text()
    captions = re.findall(r"<figcaption>(Class by class.+?)</figcaption>", page)
    assert f"Class by class, by linear: gains in orange, losses in violet{said}" in captions[0]


def test_an_interval_that_rounding_leaves_nothing_of_is_not_written() -> None:
    row = pd.Series({"metric": "clusters_leiden", "value": 10.3, "low": 10.31, "high": 10.33})
    assert _score(row) == "10.3"
    assert _score(row.replace(10.33, 10.41)) == "10.3 (10.3–10.4)"


def test_the_page_says_what_was_run_on_what_where_and_when(
    tiny: Study, outcome: Outcome, cells: Path
) -> None:
    made = json.loads((outcome.folder / "runs" / "expert-seed0" / "environment.json").read_text())
    text = html.unescape(write_study_page(tiny, outcome).read_text())
    assert "crops.h5ad, 72 cells on 2 plates (P1 and P2); DAPI, Tubulin, Actin, 32 px" in text
    assert f"{made['date'][:10]}, on cpu (1 thread, {made['platform']}); cellssl " in text
    assert f"torch {made['packages']['torch']}" in text
    assert "each combination with seeds 0 and 1" in text
    assert "72 cells by MOA, normalisation standardise" in text
    assert f"cellssl study run study.yaml {cells} -o FOLDER (study.yaml, beside" in text
    assert "not all made on the same device" not in text
    for table in outcome.folder.glob("*.csv"):  # an interrupted study has the same tables
        assert not re.search(r"\d{4}-\d\d-\d\d", table.read_text()), table.name


def test_the_page_says_which_settings_repeat_each_other(tiny: Study, outcome: Outcome) -> None:
    views = {"expert": {}, "again": {}, "geometry": {"keep": ["rotate", "flip"]}}
    twice = Study.model_validate({**tiny.model_dump(), "axes": {"views": views}})
    told = "expert and again are one protocol under 2 names"
    assert told in html.unescape(write_study_page(twice, outcome).read_text())
    assert "one protocol under" not in write_study_page(tiny, outcome).read_text()


def test_the_first_of_equals_is_the_best(tiny: Study, outcome: Outcome) -> None:
    scores = outcome.scores[outcome.scores["embedding"] == "expert"]
    again = scores.assign(embedding="geometry", views="geometry")
    equal = replace(outcome, scores=pd.concat([scores, again], ignore_index=True), baselines=())
    text = write_study_page(tiny, equal).read_text()
    found = text[text.index("What was found") : text.index("Which protocol tells most")]
    best = re.findall(r"<td>protocol</td><td>(\w+)</td>", found)
    assert best
    assert set(best) == {"expert"}


def test_the_page_says_which_runs_were_made_elsewhere(tiny: Study, outcome: Outcome) -> None:
    other = {"device": "cuda:0", "device_name": "NVIDIA H100", "date": "2031-02-03T04:05:06+00:00"}
    there = {
        run: {**made, **other} if run == "geometry-seed1" else made
        for run, made in outcome.environments.items()
    }
    text = write_study_page(tiny, replace(outcome, environments=there)).read_text()
    assert "not all made on the same device" in text
    assert " to 2031-02-03, on cpu (1 thread, " in text
    row = text[text.index("<td>geometry-seed1</td>") :].partition("</tr>")[0]
    assert "NVIDIA H100" in row
    assert "2031-02-03" in row
    text = write_study_page(tiny, replace(outcome, environments={})).read_text()
    assert "where and when is not known" in text


def test_pairs_are_held_against_the_better_of_the_two(
    tiny: Study,
    cells: Path,
    carried_out: Path,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    differences, held = Measurements.differences, []

    def spied(measured: Measurements) -> pd.DataFrame:
        held.append({entry.embedding for entry in measured.entries})
        return differences(measured)

    monkeypatch.setattr(Measurements, "differences", spied)
    found = complement(tiny, cells, carried_out, progress=False)
    assert max(map(len, held)) == 3  # of 50 settings all pairs beside all pairs take an hour
    assert not (carried_out / "complement").exists()
    assert repr(found) == f"Complement(3 pairs, {found.folder})"
    gains = found.gains.set_index([*PAIR, "metric"]).sort_index()
    pairs = {("expert", "expert"), ("expert", "geometry"), ("geometry", "geometry")}
    assert set(found.gains[PAIR].itertuples(index=False, name=None)) == pairs
    means = outcome.scores[outcome.scores["seed"] == "mean"]
    means = means.set_index(["embedding", "metric"]).sort_index()
    for metric in ("ami_kmeans", "knn", "linear"):
        row = gains.loc[("expert", "geometry", metric)]
        values = {name: means.loc[(name, metric), "value"] for name in ("expert", "geometry")}
        assert row["better_value"] == pytest.approx(max(values.values()))
        assert values[row["better"]] == max(values.values())
        assert row["value"] == pytest.approx(means.loc[("both", metric), "value"])
        assert row["gain"] == pytest.approx(row["value"] - row["better_value"])
        assert row["low"] <= row["gain"] <= row["high"]
        assert row["apart"] == (row["low"] > 0 or row["high"] < 0)
    order = found.gains.groupby(PAIR, sort=False)["gain"].mean().tolist()
    assert order == sorted(order, reverse=True)
    assert found.best == ("expert", "geometry")
    for name in ("complement.csv", "complement_per_class.csv"):
        assert len(pd.read_csv(carried_out / name))


def test_classes_gain_what_their_mean_gains(tiny: Study, cells: Path, carried_out: Path) -> None:
    found = complement(tiny, cells, carried_out, progress=False)
    for classifier in ("knn", "linear"):
        own = found.classes[
            (found.classes[PAIR] == list(found.best)).all(axis=1)
            & (found.classes["classifier"] == classifier)
        ]
        assert set(own["class"]) == {"DMSO", "bright", "small"}
        whole = found.gains.set_index([*PAIR, "metric"]).sort_index().loc[(*found.best, classifier)]
        assert own["gain"].mean() == pytest.approx(whole["gain"])
        assert (own["low"] <= own["gain"]).all()
        assert (own["gain"] <= own["high"]).all()


def test_a_pair_needs_two_combinations(
    tiny: Study, cells: Path, carried_out: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="no run of tiny"):
        complement(tiny, cells, tmp_path, progress=False)
    axes = {"views": {"expert": {}}}
    one = Study.model_validate({**tiny.model_dump(), "axes": axes, "combine": {}})
    with pytest.raises(StudyError, match="only 'expert' is finished"):
        complement(one, cells, carried_out, progress=False)
