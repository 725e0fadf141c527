import errno
import os
import re
from html.parser import HTMLParser
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from cellssl.errors import CellsslError
from cellssl.protocols import load
from cellssl.report import Overlay, dose_figure, page, write_report
from cellssl.report.page import Bullets, Fold, Picture, Row, Section, Table, Text, write_page
from cellssl.report.sections.making import provenance_section
from cellssl.report.sections.maps import map_section
from cellssl.report.sections.scores import scores_section

VOID = {"meta", "img", "link", "br", "input", "hr"}


class Balanced(HTMLParser):
    """Fails on tags that are not closed, and remembers what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "srcset") and value]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(html: str) -> Balanced:
    page = Balanced()
    page.feed(html)
    assert not page.open
    assert all(source.startswith("data:image/png;base64,") for source in page.fetched)
    assert "script" not in page.tags
    assert not re.search(r"url\(|@import|https?://", re.sub(r'src="data:[^"]*"', "", html))
    return page


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the drawing out where only words are looked at."""
    monkeypatch.setattr(Picture, "encode", mark_as_drawn)


def mark_as_drawn(picture: Picture, _dots: int) -> None:
    picture.source = "data:image/png;base64,"


@pytest.fixture
def everything(embedding, similarity, scores, crops, fields, index, tmp_path):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("epoch,step,loss,images_per_second\n1,5,3.0,100\n2,10,2.0,120\n")
    labels = np.zeros((40, 40), int)
    labels[5:20, 5:20] = 1
    wells = pd.DataFrame({"dose": [0, 1, 2], "position": [0, 1, 2], "line": "A"})
    dose = dose_figure(wells)
    return {
        "title": "Plate <script>alert(1)</script>",
        "embedding": embedding,
        "similarity": similarity,
        "scores": scores,
        "crops": crops,
        "fields": fields,
        "index": index,
        "metrics": metrics,
        "overlays": [Overlay("P0 A01", np.random.default_rng(0).random((2, 40, 40)), labels)],
        "figures": [("Dose", dose, "More is more.")],
        "notes": ["Scores were computed on 80 cells."],
        "label": "MOA",
    }


def written(folder, **parts):
    """The page that is made of these parts."""
    return write_report(folder / "report.html", **parts).read_text(encoding="utf-8")


def test_the_whole_report(everything, tmp_path):
    path = write_report(tmp_path / "new" / "report.html", **everything)
    html = path.read_text(encoding="utf-8")
    page = check(html)
    assert len(page.fetched) >= 10
    for name in ("answer", "further", "map", "clusters", "scores", "dropped", "images", "training"):
        assert f'<section id="{name}">' in html
        assert f'href="#{name}"' in html
    assert html.index('id="answer"') < html.index('id="map"')
    assert "download resnet101-cd907fc2.pth" in html
    assert "P0_B01_w1.tif is truncated" in html
    assert "7 fields with no image" in html
    assert "gone_1.tif" in html  # a montage that cannot be drawn says why
    assert path.stat().st_size < 10_000_000


def test_how_far_subsamples_agree_on_the_clusters_is_said(undrawn, embedding, tmp_path):
    embedding.uns["stability"] = pd.DataFrame(
        {"resolution": [0.2, 0.5], "stability": [0.7, 0.68], "chosen": [False, True]}
    )
    html = written(tmp_path, title="Stable", embedding=embedding)
    assert (
        "an adjusted Rand index of 0.68 (1: entirely, 0: by chance), at a resolution of 0.5."
        in html
    )


def test_users_text_is_escaped(undrawn, everything, tmp_path):
    html = written(tmp_path, **everything)
    assert "<script>" not in html
    assert "<b>x$y$" not in html
    assert "&lt;b&gt;x$y$&lt;/b&gt;" in html


def test_an_embedding_alone_is_a_report(embedding, tmp_path):
    html = written(tmp_path, title="Alone", embedding=embedding)
    check(html)
    for name in ("scores", "dropped", "images", "training"):
        assert f'id="{name}"' not in html


@pytest.mark.parametrize(
    "missing", ["similarity", "scores", "crops", "fields", "index", "metrics", "label"]
)
def test_any_part_may_be_missing(undrawn, everything, missing, tmp_path):
    del everything[missing]
    check(written(tmp_path, **everything))


def test_one_plate_without_map_clusters_or_labels(embedding, tmp_path):
    embedding.obs["Metadata_Plate"] = "P0"
    for name in ("kmeans", "leiden", "Metadata_MOA", "Metadata_Batch"):
        del embedding.obs[name]
    html = written(tmp_path, title="One plate", embedding=embedding, label="MOA")
    assert "effect of the plate cannot be seen" in html
    assert "No label is known" in html
    assert 'id="clusters"' not in html
    del embedding.obsm["X_umap"]
    html = written(tmp_path, title="No map", embedding=embedding)
    assert "was not clustered" in html


def test_the_map_by_label_stands_beside_that_by_plate(embedding):
    first = map_section(embedding, "Metadata_MOA").blocks[0]
    assert isinstance(first, Row)
    assert [picture.alt.partition(", ")[2] for picture in first.blocks] == ["by moa", "by plate"]


def test_crops_of_other_cells_are_not_shown(undrawn, everything, tmp_path):
    everything["embedding"].obs_names = [f"other/{i}" for i in range(80)]
    html = written(tmp_path, **everything)
    assert "None of these cells is in the crop file" in html


def test_weak_embeddings_are_marked(undrawn, everything, tmp_path):
    everything["scores"].loc[everything["scores"]["embedding"] == "expert", "weak"] = True
    html = written(tmp_path, **everything)
    assert "expert\u00a0†" in html
    assert "weak labels" in html


def test_intervals_stand_in_brackets_and_break_nowhere(undrawn, everything, tmp_path):
    everything["scores"][["value", "low", "high"]] = -0.001, -0.004, 0.002
    html = written(tmp_path, **everything)
    assert "−0.001 <span>(−0.004 to 0.002)</span>" in html


@pytest.mark.parametrize(("agreement", "warned"), [(0.9, True), (0.1, False)])
def test_clusters_that_are_plates_are_said(undrawn, everything, tmp_path, agreement, warned):
    scores = everything["scores"]
    scores.loc[scores["metric"] == "ami_plate", ["value", "low", "high"]] = agreement
    html = written(tmp_path, **everything)
    assert (
        "Clusters of expert agree with the plate (AMI 0.90) more than with MOA" in html
    ) == warned
    assert "Clusters of random" not in html


def test_what_was_said_of_cells_and_encoder_stands_before_the_answer(undrawn, embedding, tmp_path):
    said = "crops.h5ad: the encoder sees 1 channel of 1 plate black, white or flat"
    embedding.uns["cellssl"] = {"warnings": np.array([said], object)}
    html = written(tmp_path, title="A plate", embedding=embedding)
    assert html.index('id="answer"') < html.index(said) < html.index('id="map"')


def test_remarks_on_images_are_told_of_before_the_answer(undrawn, everything, tmp_path):
    html = written(tmp_path, **everything, remarks=["plate P0: dust on the lens?"])
    first = html.index("see Images (1 remark)")
    assert html.index('id="answer"') < first < html.index('id="map"')
    assert html.index('id="images"') < html.index("Plate P0: dust on the lens?")
    assert "see Images" not in written(tmp_path, **everything)


def test_scores_on_a_test_set_say_so_and_stand_beside_plain_accuracy(undrawn, everything, tmp_path):
    scores = everything["scores"]
    scores.loc[scores["split"] == "plates", "split"] = "test set"
    top = scores[scores["metric"].isin(["knn", "linear"])]
    top = top.assign(metric=top["metric"] + "_top1")
    everything["scores"] = pd.concat([scores, top], ignore_index=True)
    html = written(tmp_path, **everything)
    assert "kNN, top-1" in html
    assert "from the training set, for the test set" in html
    assert "other test set" not in html


def test_cells_that_are_unaccounted_for_are_said(undrawn, everything, tmp_path):
    everything["fields"]["kept"] -= 1
    html = written(tmp_path, **everything)
    assert "does not add up: 12 cells missing" in html


def test_a_part_that_cannot_be_made_costs_no_other(undrawn, everything, tmp_path, caplog):
    everything["metrics"].write_text("nothing\n1\n")
    html = written(tmp_path, **everything)
    assert "no losses" in html
    assert 'id="provenance"' in html


@pytest.mark.parametrize(
    ("part", "column", "source"),
    [
        *(("scores", name, "scores.csv") for name in ("label", "split", "value")),
        *(("fields", name, "fields.csv") for name in ("Problem", "kept", "Metadata_Well")),
    ],
)
def test_a_table_that_lacks_a_column_says_which(
    undrawn, everything, tmp_path, part, column, source
):
    everything[part] = everything[part].drop(columns=column)
    html = written(tmp_path, **everything)
    assert f"the table lacks {column}: give it as {source}" in html
    assert 'id="provenance"' in html


@pytest.mark.parametrize(("name", "said"), [("bbbc021-expert", False), ("bbbc021-two-heads", True)])
def test_of_branches_it_is_said_whose_features_the_curve_is_of(
    undrawn, everything, tmp_path, name, said
):
    html = written(tmp_path, **everything | {"protocol": load(name)})
    assert ("that of the first group of views, expert, alone" in html) == said


def test_protocol_with_its_reasons(undrawn, everything, tmp_path):
    everything["protocol"] = load("bbbc021-expert")
    html = written(tmp_path, **everything)
    assert "a cell has no preferred orientation" in html


def test_an_unwritable_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    sections = [Section("a", "A", "A", [Text("text")])]
    with pytest.raises(CellsslError, match="--out"):
        write_page(tmp_path / "file" / "r.html", title="", subtitle="", sections=sections)


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(page, "write_text", Mock(side_effect=full))
    with pytest.raises(OSError, match="No space left"):  # of which the command says what to do
        write_page(tmp_path / "r.html", title="", subtitle="", sections=[])


def test_a_lower_row_is_spoken_of_where_there_is_one(scores):
    few = scores[scores["metric"].isin(["knn", "linear"])].assign(subset="few")
    blocks = scores_section(pd.concat([scores, few]), "Metadata_MOA").blocks
    fold = next(one for one in blocks if isinstance(one, Fold))
    captions = [
        next(one.caption for one in some if isinstance(one, Picture))
        for some in (blocks, fold.blocks)
    ]
    assert ["In the lower row less is better" in caption for caption in captions] == [True, False]


@pytest.mark.parametrize(
    ("count", "said"), [(20, "once for each MOA"), (30, "the 30 names of MOA in their order")]
)
def test_the_map_says_what_its_colours_are(embedding, tmp_path, count, said):
    embedding.obs["Metadata_MOA"] = [f"mechanism {i % count:02}" for i in range(embedding.n_obs)]
    out = write_report(tmp_path / "r.html", title="t", embedding=embedding, label="MOA")
    assert said in out.read_text()


def test_notes_of_scores_that_are_not_shown_are_not_there(scores):
    nscb = scores[scores["metric"] == "knn"].assign(metric="nscb", note="NSCB: one batch only")
    (notes,) = (
        block.items
        for block in scores_section(pd.concat([scores, nscb]), "Metadata_MOA").blocks
        if block.kind == "bullets"
    )
    assert notes == [
        ("resnet101 (no score):", "download resnet101-cd907fc2.pth and pass --weights")
    ]


@pytest.mark.parametrize(("columns", "small"), [(8, False), (9, True)])
def test_tables_of_many_columns_are_set_small(tmp_path, columns, small):
    table = Table([f"score {number}" for number in range(columns)], [["1"] * columns])
    page = write_page(
        tmp_path / "page.html", title="", subtitle="", sections=[Section("a", "a", "a", [table])]
    )
    assert ('<table class="wide">' in page.read_text()) == small


def test_commands_are_set_as_code_and_texts_stay_escaped(tmp_path):
    told = "`cellssl run <plate>` mends <b>; one ` alone stays"
    blocks = [Text(told), Bullets([("", told)]), Table(["a"], [[told]], told)]
    section = Section("a", "a", "a", blocks, lead=told)
    html = write_page(tmp_path / "page.html", title="", subtitle="", sections=[section]).read_text()
    shown = "<code>cellssl run &lt;plate&gt;</code> mends &lt;b&gt;; one ` alone stays"
    assert html.count(shown) == 5
    assert "`cellssl" not in html
    check(html)


def test_a_caption_is_as_wide_as_the_page_and_not_as_its_table(tmp_path):
    table = Table(["a"], [["1"]], "what is shown")
    html = write_page(
        tmp_path / "page.html", title="", subtitle="", sections=[Section("a", "a", "a", [table])]
    ).read_text()
    assert html.index("<figcaption>what is shown") < html.index('<div class="scroll"><table')


def test_notes_say_of_which_scores_and_of_which_cells_they_are(scores):
    noted = scores.copy()
    noted.loc[noted["metric"] == "knn", "note"] = "Rare is left out"
    few = noted[noted["metric"].isin(["knn", "linear"])].assign(subset="few")
    few["note"] = few["note"].replace("Rare is left out", "Dim is left out")
    blocks = scores_section(pd.concat([noted, few]), "Metadata_MOA").blocks
    fold = next(one for one in blocks if isinstance(one, Fold))
    first, second = (
        next(one.items for one in some if isinstance(one, Bullets))
        for some in (blocks, fold.blocks)
    )
    assert "kNN: Rare is left out" in [text for _, text in first]
    assert "Dim" not in str(first)
    assert [text for _, text in second] == ["kNN: Dim is left out"]


def test_what_is_empty_has_no_row_in_the_provenance(embedding):
    embedding.uns["cellssl"] = {"labels_used": {"columns": [], "plates": ["P0"]}, "weak": False}
    table = provenance_section(embedding, None, []).blocks[0]
    assert [key for key, _ in table.rows[1:]] == ["labels_used.plates", "weak"]
