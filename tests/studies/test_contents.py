"""What clusters hold: bright cells, small cells, or what chance put together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellssl.crops import Crops
from cellssl.errors import StudyError
from cellssl.phenotypes import Measurement, Measurements
from cellssl.studies import (
    Contents,
    Outcome,
    Study,
    cluster_contents,
    score_study,
    write_study_page,
)
from cellssl.studies.planning import base_protocol

BRIGHT, SMALL = 1, 2  # classes of the simulated cells, in the order of their rows


@pytest.fixture
def measured(cells: Path) -> Measurements:
    """Known clusters: those of the classes, with two seeds, and those of chance."""
    opened = Crops.open(cells)
    kind = np.arange(len(opened)) % 3
    chance = np.random.default_rng(0).permutation(kind)
    entries = tuple(
        Measurement(*(name, seed, "all", "none", "ami_kmeans", False, 0.0, None, 72, 3), clusters=c)
        for name, seed, c in (("true", "0", kind), ("true", "1", chance), ("chance", "0", chance))
    )
    return Measurements(entries, "Metadata_MOA", "standardise", {}, cells=tuple(opened.obs.index))


@pytest.fixture
def contents(tiny: Study, cells: Path, measured: Measurements) -> Contents:
    """What these clusters hold."""
    opened = Crops.open(cells)
    return cluster_contents(measured, opened, base_protocol(tiny), ["true", "chance", "absent"])


def test_cells_of_another_crop_file_are_refused(
    tiny: Study, cells: Path, measured: Measurements
) -> None:
    renamed = replace(measured, cells=(*measured.cells[:-1], "P9/A01/1/1"))
    with pytest.raises(StudyError, match="1 of 72 scored cells are not in"):
        cluster_contents(renamed, Crops.open(cells), base_protocol(tiny), ["true"])


def test_embeddings_that_begin_with_one_name_are_no_repetitions(
    tiny: Study, cells: Path, measured: Measurements
) -> None:
    names = iter(["resnet50 (96 px)", "resnet50 (128 px)", "resnet50 (96 px)"])
    entries = tuple(replace(one, embedding=next(names)) for one in measured.entries)
    found = cluster_contents(
        replace(measured, entries=entries), Crops.open(cells), base_protocol(tiny), ["resnet50"]
    )
    assert set(found.explained["embedding"]) == {"resnet50 (96 px)"}
    assert set(found.explained["replicates"]) == {2}


def test_clusters_are_described_by_what_stands_out(contents: Contents) -> None:
    own = contents.clusters[contents.clusters["embedding"] == "true"].set_index("cluster")
    assert own["n"].tolist() == [24, 24, 24]
    assert own["commonest"].tolist() == ["DMSO", "bright", "small"]
    assert own["share"].tolist() == [1, 1, 1]
    assert "bright " in own.loc[BRIGHT, "words"]
    assert "small nucleus" in own.loc[SMALL, "words"]
    assert own.loc[SMALL, "nucleus area"] < -1
    assert own.loc[SMALL, "nucleus area"] < own.loc[[0, BRIGHT], "nucleus area"].min()
    chance = contents.clusters[contents.clusters["embedding"] == "chance"]
    assert chance["share"].max() < 0.7


def test_seeds_are_averaged_and_their_range_is_told(contents: Contents) -> None:
    table = contents.explained.set_index(["embedding", "property"]).sort_index()
    label = table.loc[("true", "MOA")]
    assert label["replicates"] == 2
    assert label["ami_high"] == pytest.approx(1)
    assert abs(label["ami_low"]) < 0.1
    assert label["ami"] == pytest.approx((label["ami_low"] + 1) / 2)
    assert np.isnan(label["explained"])
    area = table.loc[("true", "nucleus area")]
    assert area["explained_high"] > 0.6
    assert abs(area["explained_low"]) < 0.1
    assert abs(table.loc[("chance", "Plate"), "ami"]) < 0.1  # two plates, evenly over the classes
    assert contents.missing == ("absent",)


def test_galleries_show_members_at_random(contents: Contents, cells: Path) -> None:
    rows = contents.rows["true"]
    assert [row.name for row in rows] == ["cluster 0", "cluster 1", "cluster 2"]
    assert all(row.images.shape == (10, 3, 32, 32) for row in rows)
    assert rows[BRIGHT].images.mean() > rows[0].images.mean() > rows[SMALL].images.mean()
    assert "bright: 100% of 24" in rows[BRIGHT].details


def test_the_clusters_are_those_that_were_scored(
    tiny: Study, cells: Path, carried_out: Path, outcome: Outcome
) -> None:
    wanted = ["expert", "both", "simple-features"]
    study = Study.model_validate({**tiny.model_dump(), "galleries": wanted})
    found = score_study(study, cells, carried_out, device="cpu", progress=False)
    pd.testing.assert_frame_equal(found.scores, outcome.scores)
    assert found.contents is not None
    explained = found.contents.explained
    assert list(dict.fromkeys(explained["embedding"])) == wanted
    scores = found.scores[
        (found.scores["metric"] == "ami_kmeans") & (found.scores["seed"] == "mean")
    ]
    # Scores are means over three starts of k-means, contents are of the first: with clusters as
    # distinct as those of simple features all starts agree.
    value = scores.set_index("embedding")["value"]["simple-features"]
    label = explained[(explained["embedding"] == "simple-features")].iloc[0]
    assert label["property"] == "MOA"
    assert label["ami"] == pytest.approx(value)
    page = write_study_page(study, found).read_text()
    assert "What the clusters hold" in page
    for name in ("clusters.csv", "clusters_explained.csv"):
        assert len(pd.read_csv(found.folder / name))
    for name in ("clusters", "gallery-expert", "gallery-both", "gallery-simple-features"):
        assert (found.folder / f"{name}.png").stat().st_size > 10_000


def test_what_is_missing_is_told(tiny: Study, outcome: Outcome, contents: Contents) -> None:
    page = write_study_page(tiny, replace(outcome, contents=contents)).read_text()
    assert "Not there: absent" in page
