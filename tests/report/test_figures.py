from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage

import cellssl
from cellssl import report
from cellssl.errors import CellsslError, EmbeddingError, TrainingError
from cellssl.phenotypes.evaluation.score_tables import summarise_scores
from cellssl.report import (
    GalleryRow,
    Overlay,
    activity_figure,
    channel_colours,
    composite,
    crop_gallery,
    dose_figure,
    field_montage,
    outline_figure,
    plate_map,
    replicate_figure,
    save_figure,
    score_figure,
    similarity_heatmap,
    stability_figure,
    training_curve,
    umap_figure,
)
from cellssl.report.figures.scores import is_baseline
from cellssl.report.figures.style import (
    GREY,
    OKABE_ITO,
    as_categories,
    brief,
    category_colours,
    control_names,
    ends_of,
    label_colours,
    natural_order,
)

from .examples import texts


def test_figures_leave_global_settings_alone(embedding):
    before = dict(mpl.rcParams)
    umap_figure(embedding, "kmeans")
    assert dict(mpl.rcParams) == before


def test_thousands_that_are_left_out_are_parted():
    assert ends_of(pd.DataFrame(index=range(1175)), 40)[2] == "… 1,135 between …"


@pytest.mark.parametrize(
    ("count", "maps"), [(3, 1), (7, 1), (8, 8), (24, 24)], ids=["few", "seven", "eight", "many"]
)
def test_umap_gives_a_map_each_when_colours_run_out(embedding, count, maps):
    embedding.obs["name"] = [f"n{i % count}" for i in range(embedding.n_obs)]
    figure = umap_figure(embedding, "name")
    assert sum(axes.get_visible() for axes in figure.axes) == maps


def test_umap_of_very_many_names_is_a_scale(embedding):
    embedding.obs["name"] = [f"plate {i}" for i in range(embedding.n_obs)]
    assert "80 names" in texts(umap_figure(embedding, "name"))


def test_doses_are_a_scale_whatever_controls_have(embedding):
    embedding.obs["Dose"] = np.arange(80.0) / 10
    embedding.obs.loc[embedding.obs["Metadata_Control"] == "negative", "Dose"] = np.nan
    figure = umap_figure(embedding, "Dose")
    assert "names in their order" not in texts(figure)
    assert "negative control" not in texts(figure)


def test_umap_numbers_every_cluster_on_the_map(embedding):
    written = texts(umap_figure(embedding, "leiden", numbered=True)).split()
    assert {"0", "1", "2", "3", "4"} <= set(written)


@pytest.mark.parametrize("known", [1, 60])
@pytest.mark.parametrize("values", [["a", "b"], range(40)], ids=["names", "numbers"])
def test_umap_draws_all_cells_alike_whatever_is_known_of_them(known, values):
    part = [values[i % len(values)] if i % 80 < known else None for i in range(4000)]
    index = [str(i) for i in range(4000)]
    cells = AnnData(obs=pd.DataFrame({"part": part}, index=index))
    cells.obsm["X_umap"] = np.random.default_rng(0).normal(size=(4000, 2))
    axes = umap_figure(cells, "part").axes[0]
    sizes = {float(size) for drawn in axes.collections for size in drawn.get_sizes()}
    assert sizes == {3.0}


def test_the_legend_of_a_map_lies_below_it_and_within_its_width(embedding):
    embedding.obs["name"] = [
        f"a mechanism with a name that is long, number {i % 7}" for i in range(embedding.n_obs)
    ]
    figure = umap_figure(embedding, "name")
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.y1 <= figure.axes[0].get_window_extent().y0
    assert legend.width < figure.bbox.width
    assert figure.get_figwidth() <= 5  # inches, of which two thirds fit on a phone


def test_umap_takes_a_file_and_a_name_without_its_prefix(embedding, tmp_path):
    embedding.write_h5ad(tmp_path / "map.h5ad")
    figure = umap_figure(tmp_path / "map.h5ad", "MOA")
    assert {"MOA", "stabiliser (40)"} <= set(texts(figure).split("\n"))


@pytest.mark.parametrize(
    ("record", "rows"), [({"level": "well"}, "wells"), ({}, "profiles"), (None, "cells")]
)
def test_a_map_says_what_its_dots_are(record, rows, embedding):
    if record is not None:
        embedding.uns["cellssl"] = record
        embedding.obs["Metadata_Cells"] = 40
    assert f"({rows})" in texts(umap_figure(embedding, "MOA"))
    embedding.obs["name"] = [f"n{i % 12}" for i in range(embedding.n_obs)]
    assert texts(umap_figure(embedding, "name")).count(f" {rows}") == 12


def test_umap_says_what_is_missing(embedding):
    with pytest.raises(EmbeddingError, match=r"'colour'.*kmeans"):
        umap_figure(embedding, "colour")
    del embedding.obsm["X_umap"]
    with pytest.raises(EmbeddingError, match="cluster"):
        umap_figure(embedding, "kmeans")


def test_names_are_shown_as_written_and_sorted_as_people_do():
    values = pd.Series([10.0, 2.0, np.nan])
    assert list(as_categories(values)) == ["10", "2", "not known"]
    assert natural_order(["not known", "w10", "w2", "a"]) == ["a", "w2", "w10", "not known"]


def test_no_two_of_seven_names_share_a_colour():
    colours = category_colours([str(i) for i in range(7)])
    assert sorted(colours.values()) == sorted(OKABE_ITO)


def test_negative_controls_without_a_mechanism_are_called_so_on_the_map(embedding):
    assert "negative control (20)" in texts(umap_figure(embedding, "Metadata_MOA"))
    assert control_names(embedding.obs, "Metadata_MOA") == ("negative control",)
    embedding.obs.loc[embedding.obs["Metadata_Control"] == "negative", "Metadata_Batch"] = None
    assert "not known (20)" in texts(umap_figure(embedding, "Metadata_Batch"))
    unmarked = embedding.copy()
    del unmarked.obs["Metadata_Control"]
    assert "not known (20)" in texts(umap_figure(unmarked, "Metadata_MOA"))


def test_a_label_has_one_colour_on_the_map_and_in_the_heat_map(embedding, similarity):
    labels = dict(zip(similarity.matrix.index, "bzaazb", strict=True))  # the tree begins with z
    embedding.obs["Metadata_MOA"] = ["a", "b", "control", "z"] * (embedding.n_obs // 4)
    embedding.obs["Metadata_Control"] = np.where(
        embedding.obs["Metadata_MOA"] == "control", "negative", ""
    )
    mapped = umap_figure(embedding, "Metadata_MOA").legends[0].legend_handles
    on_map = {handle.get_label().split()[0]: handle.get_color() for handle in mapped}
    assert on_map["control"] == GREY
    for given in (label_colours(embedding.obs, "Metadata_MOA"), None):
        figure = similarity_heatmap(similarity.matrix, labels=labels, colours=given)
        strip = figure.legends[0].legend_handles
        in_strip = {str(one.get_label())[-1]: to_hex(one.get_facecolor()) for one in strip}
        assert in_strip == {name: on_map[name].lower() for name in ("z", "a", "b")}


@pytest.mark.parametrize(("length", "columns"), [(2, 8), (30, 2)])
def test_the_legend_of_many_labels_fills_the_width_and_no_more(length, columns):
    names = [f"drug {number}" for number in range(48)]
    labels = {name: f"{number:0{length}}" for number, name in enumerate(names)}
    figure = similarity_heatmap(pd.DataFrame(np.eye(48), names, names), labels=labels)
    figure.draw_without_rendering()
    legend = figure.legends[0]
    assert legend.get_window_extent().width < figure.bbox.width
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == columns


def test_a_figure_with_fewer_names_has_the_colours_of_the_map(embedding):
    wells = pd.DataFrame({"line": ["b", "b", "z", "z"], "dose": [1.0, 2, 1, 2], "position": 0.5})
    names = pd.DataFrame({"Metadata_Compound": ["a", "b", "z", "not known", ""]})
    colours = label_colours(names, "Metadata_Compound")
    drawn = dose_figure(wells, colours=colours).axes[0].lines
    assert [line.get_color() for line in drawn] == [OKABE_ITO[1]] * 2 + [OKABE_ITO[2]] * 2
    many = pd.DataFrame({"Metadata_Compound": [str(number) for number in range(8)]})
    assert label_colours(many, "Metadata_Compound") == {}


def test_heatmap_puts_like_beside_like(similarity):
    matrix = similarity.matrix
    figure = similarity_heatmap(matrix, labels={"taxol 1": "stabiliser", "taxol 3": "stabiliser"})
    names = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert abs(names.index("taxol 1") - names.index("taxol 3")) == 1
    assert "A  stabiliser" in texts(figure)


def test_figures_of_a_similarity_leave_its_negative_control_out(embedding):
    found = cellssl.similarity(embedding, draws=1)
    heat = texts(similarity_heatmap(found))
    for text in (heat, texts(activity_figure(found))):
        assert "taxol 1" in text
        assert "DMSO" not in text
    assert "B  stabiliser" in heat
    assert "MOA" in heat
    assert "taxol 1" in texts(replicate_figure(found))
    given = similarity_heatmap(found, labels=found.treatments["label"].replace("stabiliser", "s"))
    assert "B  s" in texts(given).splitlines()


@pytest.mark.parametrize("count", [1, 2, 3, 150])
def test_heatmap_of_any_size_is_no_wider_than_the_page(count):
    values = np.random.default_rng(0).uniform(-1, 1, (count, count))
    values[0, -1] = np.nan
    names = [f"treatment number {i}" for i in range(count)]
    figure = similarity_heatmap(pd.DataFrame(values, index=names, columns=names))
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= 10.2


@pytest.mark.parametrize(("kinds", "letters"), [(12, "ABCDEFGHIJKL"), (60, "")])
def test_heatmap_of_a_screen_shows_blocks_with_their_letters_on_one_page(kinds, letters):
    names = [f"compound {i}" for i in range(300)]
    kind = np.arange(300) // (300 // kinds)
    matrix = pd.DataFrame((kind[:, None] == kind).astype(float), names, names)
    labels = {name: f"mechanism {own:02}" for name, own in zip(names, kind, strict=True)}
    figure = similarity_heatmap(matrix, labels=labels)
    assert figure.get_figheight() < 12
    drawn = sorted(text.get_text() for axes in figure.axes for text in axes.texts)
    assert "".join(drawn) == letters
    assert not any(axes.get_yticklabels() for axes in figure.axes if axes.images)
    assert "300 treatments: too many to name here" in texts(figure)


def test_activity_ranks_and_leaves_the_middle_out():
    activity = pd.Series({f"t{i}": float(i) for i in range(60)})
    written = texts(activity_figure(activity, active=activity > 30))
    assert "… 20 between …" in written
    assert "not told apart" in written
    assert "t59" in written
    assert "t30" not in written


def test_no_bar_lies_under_the_legend_of_distances():
    activity = pd.Series({f"t{i}": 1 + i / 100 for i in range(9)})
    figure = activity_figure(activity, active=activity > 1.05)
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert not legend.overlaps(figure.axes[0].get_window_extent())


def make_replicates(count):
    correlation = np.linspace(0.9, -0.1, count)
    return pd.DataFrame(
        {
            "wells": 3,
            "correlation": correlation,
            "limit": 0.4,
            "replicates": pd.array(correlation > 0.4, dtype="boolean"),
            "across_plates": np.arange(count) > 0,
        },
        index=[f"t$_{number}" for number in range(count)],
    )


def test_replicates_are_counted_and_those_of_one_plate_marked():
    table = make_replicates(12)
    table.loc["t$_11", ["correlation", "limit", "replicates"]] = [np.nan, np.nan, pd.NA]
    text = texts(replicate_figure(table))
    assert "6 of 11 treatments of several wells replicate" in text
    assert {line for line in text.split("\n") if "one plate" in line} == {
        "t\\$_0  (3 wells, one plate)"
    }
    assert "t$_11" not in text.replace("\\", "")
    assert "30 between" in texts(replicate_figure(make_replicates(90)))
    assert "0 of 0" in texts(replicate_figure(table.iloc[11:]))


def test_treatments_are_told_apart_in_the_figure_of_replicates():
    names = [f"simulated-microtubule-destabiliser-{n} 0.3" for n in range(3)]
    table = make_replicates(3).set_axis(pd.Index(names))
    written = texts(replicate_figure(table))
    assert all(brief(name) in written for name in names)


def test_stability_names_clusters_and_fills_the_choice():
    table = pd.DataFrame(
        {
            "resolution": [0.1, 1.0],
            "clusters": [3.0, 8.0],
            "stability": [0.9, 0.4],
            "low": [0.8, 0.2],
            "high": [1.0, 0.6],
            "chosen": [True, False],
        }
    )
    figure = stability_figure(table)
    assert {"3", "8", "0.1", "1", "chosen"} <= set(texts(figure).split("\n"))
    figure.draw_without_rendering()  # the legend lies on no interval
    legend = figure.legends[0].get_window_extent()
    assert not legend.overlaps(figure.axes[0].get_window_extent())
    first, second = figure.axes[0].collections[-1].get_facecolors()
    assert mpl.colors.to_hex(first) == OKABE_ITO[1].lower()
    assert mpl.colors.to_hex(second) == "#ffffff"


def test_composite_adds_channels_and_keeps_the_hue():
    images = np.zeros((2, 1, 2), np.float32)
    images[0, 0, 0] = 0.5
    images[:, 0, 1] = 1
    picture = composite(images, [(1, 0, 1), (1, 1, 0)])
    assert picture[0, 0] == pytest.approx([0.5, 0, 0.5])
    assert picture[0, 1] == pytest.approx([1, 0.5, 0.5])
    with pytest.raises(ValueError, match="2 channels but 1 colours"):
        composite(images, [(1, 1, 1)])


def test_dna_has_the_same_colour_wherever_it_stands():
    assert channel_colours(["GFP", "DNA"])["DNA"] == channel_colours(["Hoechst", "RNA"])["Hoechst"]
    assert list(channel_colours(["GFP", "H2B-mCherry", "DRAQ7"])) == ["H2B-mCherry", "DRAQ7", "GFP"]
    assert len(set(channel_colours(["a", "b", "c", "d", "e"]).values())) == 5


def test_transmitted_light_does_not_drown_what_shines():
    colours = channel_colours(["BF", "DNA", "Actin"])
    assert colours == {**channel_colours(["DNA", "Actin"]), "BF": (0, 0, 0)}
    assert channel_colours(["BF"]) == {"BF": (1, 1, 1)}
    row = GalleryRow("cluster 1", (), np.ones((2, 3, 16, 16)))
    assert "BF (not mixed in)" in texts(crop_gallery([row], ["BF", "DNA", "Actin"]))


@pytest.mark.parametrize("count", [5, 6])
def test_many_stains_over_one_another_are_grey_and_nuclei_blue(count):
    colours = channel_colours([*"abcde"[: count - 1], "Hoechst"])
    assert colours["Hoechst"][2] == 1
    assert max(colours["Hoechst"][:2]) < 0.4
    others = np.array([colour for name, colour in colours.items() if name != "Hoechst"])
    mixed = others.sum(axis=0)
    assert mixed.min() > 0.75 * mixed.max()  # the former four beside cyan were yellow: 0.36
    every = np.array(list(colours.values()))
    apart = np.linalg.norm(every[:, None] - every, axis=-1)
    assert apart[~np.eye(count, dtype=bool)].min() > 0.4


def test_photographs_have_their_own_colours() -> None:
    assert channel_colours(["Red", "Green", "Blue"]) == {
        "Red": (1.0, 0.0, 0.0),
        "Green": (0.0, 1.0, 0.0),
        "Blue": (0.0, 0.0, 1.0),
    }


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_gallery_of_any_number_of_channels(channels):
    rng = np.random.default_rng(0)
    names = [f"channel {i}" for i in range(channels)]
    rows = [
        GalleryRow(f"cluster {n}", ("DMSO 50 %", "$odd"), rng.random((n, channels, 16, 16)))
        for n in (8, 1)
    ]
    written = texts(crop_gallery(rows, names))
    assert "cluster 8\nDMSO 50 %" in written
    assert "5 px" in written
    assert all(name in written for name in names)


def test_long_names_of_channels_do_not_run_into_each_other():
    names = ["HOECHST 33342", "Alexa 488 - ER", "SYTO 14", "Phalloidin & WGA", "MitoTrackerDeepRed"]
    rng = np.random.default_rng(0)
    rows = [GalleryRow("cluster 1", ("DMSO 50 %",), rng.random((8, 5, 16, 16)))]
    figure = crop_gallery(rows, names)
    figure.draw_without_rendering()
    heads = [text for text in figure.axes[0].texts if text.get_va() == "bottom"][: len(names)]
    boxes = [head.get_window_extent() for head in heads]
    assert ["".join(head.get_text().split()) for head in heads] == [
        n.replace(" ", "") for n in names
    ]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    assert all(box.y1 <= figure.bbox.y1 for box in boxes)


@pytest.mark.parametrize("count", [3, 5, 7, 9])
@pytest.mark.parametrize("first", ["UV - DAPI", "a name that takes four lines or so"])
def test_names_above_a_gallery_of_any_height_are_whole(count, first):
    rng = np.random.default_rng(0)
    rows = [
        GalleryRow(f"cluster {n}", ("81 cells",), rng.random((8, 3, 16, 16))) for n in range(count)
    ]
    figure = crop_gallery(rows, [first, "Blue - FITC", "TL-Brightfield - Cy3"])
    figure.draw_without_rendering()
    assert max(text.get_window_extent().y1 for text in figure.axes[0].texts) <= figure.bbox.y1


def test_montage_has_a_bar_in_micrometres_when_known():
    fields = {name: np.random.default_rng(0).random((2, 90, 120)) for name in "abcd"}
    assert "20 µm" in texts(field_montage(fields, ["DNA", "GFP"], micrometres_per_pixel=0.5))


def test_outlines_are_drawn_around_objects_and_nowhere_else():
    labels = np.zeros((60, 60), int)
    labels[20:30, 20:30] = 4
    image = np.full((60, 60), 100.0)
    figure = outline_figure([Overlay("field", image, labels)])
    (drawn,) = figure.axes[0].findobj(AxesImage)
    orange = np.asarray(drawn.get_array())[..., 0] == 1
    assert orange.any()
    assert not orange[:18].any()
    assert "1 objects" in texts(figure)
    with pytest.raises(ValueError, match="differ in shape"):
        outline_figure([Overlay("field", image[:10], labels)])


def test_plate_map_shows_each_number_in_its_well():
    values = pd.Series({"A01": 5.0, "B02": 7.0, "H12": np.nan})
    figure = plate_map(values, unit="cells", marks={"A01": "negative", "C03": "positive"})
    grid = figure.axes[0].images[0].get_array()
    assert grid.shape == (8, 12)
    assert (grid[0, 0], grid[1, 1]) == (5, 7)
    assert grid.count() == 2
    assert "×" in texts(figure)
    assert plate_map(values, shape=(16, 24)).axes[0].images[0].get_array().shape == (16, 24)
    signs = {
        text.get_text(): text.get_color()
        for text in figure.axes[0].texts
        if text.get_text() in "−+"
    }
    assert signs == {"−": "white", "+": "black"}  # C03 has no number: nothing dark lies behind
    beyond = plate_map(values[["A01"]], marks={"P24": "positive"})
    assert beyond.axes[0].images[0].get_array().shape == (16, 24)
    with pytest.raises(EmbeddingError, match=r"1 × 2 wells .* has no C03"):
        plate_map(values[["A01"]], marks={"C03": "positive"}, shape=(1, 2))
    block = [f"{row}{column:02}" for row in "ABCD" for column in range(1, 7)]
    grid = plate_map(pd.Series(3.0, index=block).drop("C04")).axes[0].images[0].get_array()
    assert (grid.shape, grid.count()) == ((4, 6), 23)


def test_dose_figure_prints_spearman_per_row_and_together():
    wells = pd.DataFrame({"dose": [0, 1, 2, 3] * 2, "position": [0, 1, 2, 3, 3, 2, 1, 0]})
    figure = dose_figure(wells.assign(line=["A"] * 4 + ["B"] * 4))
    written = texts(figure)
    assert "A   ρ = 1.00  (n = 4)" in written
    assert "B   ρ = −1.00  (n = 4)" in written
    assert "Spearman ρ = 0.00 (n = 8)" in written


def test_dose_figure_of_wells_that_say_nothing():
    wells = pd.DataFrame({"dose": [1, 1], "position": [2, np.nan], "line": "A"})
    assert "not defined" in texts(dose_figure(wells, controls={"negative": 0.0}))
    wells = pd.DataFrame({"dose": [0, 0.01, 1, 100], "position": [0, 1, 2, 3], "line": "A"})
    assert dose_figure(wells).axes[0].get_xscale() == "symlog"


def test_scores_of_seeds_are_averaged_within_their_widest_interval(scores):
    summary = summarise_scores(scores).set_index(["embedding", "metric"])
    row = summary.loc[("expert", "knn")]
    assert row["value"] == pytest.approx(0.51)
    assert (row["low"], row["high"]) == (pytest.approx(0.45), pytest.approx(0.57))
    assert row["seeds"] == 2


def test_what_is_said_of_batches_is_left_out_where_each_is_one_plate(scores):
    plates = scores[scores["metric"] == "knn"].assign(metric="ami_plate")
    batches = plates.assign(metric="ami_batch")
    other = batches.assign(value=batches["value"] + 0.1)
    for batch, told in ((batches, False), (other, True)):
        summary = summarise_scores(pd.concat([scores, plates, batch]))
        assert "ami_plate" in set(summary["metric"])
        assert ("ami_batch" in set(summary["metric"])) == told


def test_means_over_seeds_that_stand_in_the_table_are_taken_as_they_are(scores):
    mean = scores[scores["seed"] == 0].assign(seed="mean", value=0.7, replicates=3)
    summary = summarise_scores(pd.concat([scores.assign(replicates=1), mean]))
    row = summary.set_index(["embedding", "metric"]).loc[("expert", "knn")]
    assert row["value"] == pytest.approx(0.7)
    assert row["seeds"] == 3


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        *(("resnet50-v1", True), ("ResNet-50 (ImageNet)", True), ("random:vgg13_bn", True)),
        *(("random", True), ("intensity-features", True), ("cell-count", True)),
        *(("bbbc021-expert", False), ("resnet18-mine", False), ("resnet18_s0", False)),
        *(("random-erasing", False), ("intensity-forgotten", False), ("imagenet-recipe", False)),
    ],
)
def test_a_run_may_be_called_after_its_network(name, baseline):
    assert is_baseline(name) == baseline


def test_every_colour_of_the_score_figure_stands_in_its_legend(scores):
    figure = score_figure(scores)
    drawn = {to_hex(line.get_color()) for axes in figure.axes for line in axes.lines}
    told = {to_hex(handle.get_color()) for handle in figure.legends[0].legend_handles}
    assert drawn == told


def test_score_figure_marks_baselines_and_confounders(scores):
    written = texts(score_figure(scores))
    assert "AMI with the plate" in written
    assert "baseline" in written
    assert "resnet101" not in written


def test_of_one_plate_the_place_on_it_is_drawn(scores):
    one = scores.assign(metric=scores["metric"].replace({"ami_plate": "ami_row"}))
    written = texts(score_figure(one[one["metric"] != "ami_batch"]))
    assert "AMI with the row" in written
    assert "AMI with the row" not in texts(score_figure(scores))


def test_what_rounds_to_nothing_has_no_sign():
    table = pd.DataFrame({"embedding": ["a"], "metric": ["ami_kmeans"], "value": [-0.001]})
    assert "0.00" in texts(score_figure(table)).splitlines()


def test_score_figure_of_the_bare_minimum():
    table = pd.DataFrame({"embedding": ["a"], "metric": ["ami_kmeans"], "value": [0.3]})
    assert "AMI" in texts(score_figure(table))
    texts(score_figure(table.iloc[:0]))


def test_training_curve_reads_what_training_writes(tmp_path):
    file = tmp_path / "metrics.csv"
    file.write_text(
        "epoch,step,loss,feature_std,effective_rank\n1,5,3.0,,\n1,10,2.5,.1,4\n2,20,2,.2,6\n"
    )
    figure = training_curve(tmp_path)
    assert texts(figure) == texts(training_curve(file))
    assert [len(axes.lines[0].get_xdata()) for axes in figure.axes] == [3, 2]


def test_training_curve_says_what_is_wrong(tmp_path):
    with pytest.raises(TrainingError, match="cannot read"):
        training_curve(tmp_path / "metrics.csv")
    with pytest.raises(TrainingError, match="no losses"):
        training_curve(pd.DataFrame({"epoch": [1]}))


def test_save_figure_makes_its_folder_and_names_formats(tmp_path, scores):
    path = save_figure(score_figure(scores), tmp_path / "new" / "scores.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(CellsslError, match=r"\.png"):
        save_figure(score_figure(scores), tmp_path / "scores.doc")


def test_very_long_names_leave_room_for_what_is_drawn(scores):
    names = [
        f"(2S,3R,4E)-a-name-that-nobody-shortened-{i}-methyl-2-aminopropanoate" * 2
        for i in range(9)
    ]
    matrix = pd.DataFrame(np.eye(9), names, names)
    figure = similarity_heatmap(matrix)
    figure.draw_without_rendering()  # a warning of axes without room is an error
    heat = next(axes for axes in figure.axes if axes.images)
    assert heat.get_position().width > 0.3
    assert all(len(label.get_text()) <= 40 for label in heat.get_yticklabels())
    facet = score_figure(scores.assign(embedding=scores["embedding"].map(names[0].__add__))).axes[0]
    assert all(len(label.get_text()) <= 40 for label in facet.get_yticklabels())


def test_numbers_of_scores_part_the_line_to_beat(scores):
    figure = score_figure(scores)
    numbers = [text for text in figure.axes[0].texts if text.get_text()]
    assert numbers
    assert all(text.get_bbox_patch().get_facecolor() == (1, 1, 1, 1) for text in numbers)


def test_there_is_no_half_epoch():
    table = pd.DataFrame({"epoch": [1, 2], "loss": [5.0, 4.0], "effective_rank": [60.0, 58.0]})
    figure = training_curve(table)
    for axes in figure.axes:
        assert all(tick == round(tick) for tick in axes.get_xticks())
    assert figure.axes[1].get_ylim()[1] > 60  # the highest mark is whole


@pytest.mark.parametrize(
    ("draw", "maker"),
    [
        (report.similarity_heatmap, "similarity"),
        (report.activity_figure, "similarity"),
        (report.replicate_figure, "similarity"),
        (report.score_figure, "evaluate"),
    ],
)
def test_figures_of_tables_say_what_makes_them_of_an_embedding(draw, maker, embedding):
    with pytest.raises(EmbeddingError, match=f"wanted what `cellssl.{maker}` gives, got AnnData"):
        draw(embedding)


@pytest.mark.parametrize(
    "use",
    [
        lambda cells: report.gallery(cells, "crops.h5ad"),
        lambda cells: report.plate_heat_map(cells, "cells"),
        report.dose_curve,
        report.explore,
    ],
    ids=["gallery", "plate_heat_map", "dose_curve", "explore"],
)
def test_nothing_is_drawn_of_no_cells(use, embedding):
    with pytest.raises(EmbeddingError, match="the embedding holds no cells"):
        use(embedding[:0].copy())
