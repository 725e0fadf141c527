"""Classes that lie in how a cell lies or is handed, and classes that nothing tells."""

import numpy as np
import pandas as pd
import pytest
import torch

import cellssl
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import StudyError
from cellssl.protocols import resolve
from cellssl.studies import audit
from cellssl.studies.audit.arrangement import (
    CellArrangement,
    _largest_around,
    arrangement_names,
)
from cellssl.studies.audit.references import Reference, property_named
from cellssl.studies.audit.separation import Groups, by_chance
from cellssl.studies.audit.together import Together

SIDE = 36
CHANNELS = ["DNA", "Actin"]
OPERATIONS = [
    {"rotate": {"degrees": 180}},
    {"flip": {"p": 0.5, "horizontal": True, "vertical": False}},
    {"stain_gain": {"amplitude": 0.3}},
]


@pytest.mark.parametrize("shape", [(2, 3, 17, 23), (1, 1, 1, 5)])
def test_the_largest_around_a_pixel_equals_a_pool(shape):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pooled = torch.nn.functional.max_pool2d(values, 3, stride=1, padding=1)
    assert torch.equal(_largest_around(values), pooled)


def blob(y, x, tall, wide, angle=0.0):
    """Draw an ellipse of light, `wide` along the angle (SIDE, SIDE)."""
    down, right = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    u = (right - x) * np.cos(angle) + (down - y) * np.sin(angle)
    v = (down - y) * np.cos(angle) - (right - x) * np.sin(angle)
    return np.exp(-0.5 * ((u / wide) ** 2 + (v / tall) ** 2))


def draw(kind, rng):
    """A long nucleus that lies or stands; a grained one; or one off the middle, tailed or not, actin to its side."""
    if kind in ("grain", "coarse"):
        grain = (0.3 if kind == "grain" else 0.2) * rng.normal(size=(SIDE, SIDE))
        return [blob(0, 0, 4, 4) * (1 + grain), blob(0, 0, 6, 6)]
    if kind in ("lying", "standing"):
        angle = rng.normal(np.pi / 2 if kind == "standing" else 0.0, 0.2)
        return [blob(0, 0, 3, 5, angle), blob(0, 0, 6, 6)]
    front = rng.uniform(0, 2 * np.pi)
    side = front + (np.pi / 2 if "right" in kind else -np.pi / 2) + rng.normal(0, 0.2)
    a, b = (4 * np.array([np.sin(t), np.cos(t)]) for t in (front, side))
    tail = blob(-a[0] / 2, -a[1] / 2, 2, 2) if "tailed" in kind else 0.0
    return [blob(*a, 3, 3) + tail, blob(*b, 3, 3)]


def store(path, kinds, labels=None):
    rng = np.random.default_rng(0)
    light = np.array([draw(kind, rng) for kind in kinds])
    light = 4000 * light * rng.normal(1, 0.1, (len(kinds), 2, 1, 1))
    images = np.clip(500 + light + rng.normal(0, 60, light.shape), 0, 65535).astype(np.uint16)
    plate = np.where(np.arange(len(kinds)) % 4 < 2, "P1", "P2")
    images[plate == "P2"] += 150
    obs = pd.DataFrame(
        {"Metadata_Plate": plate, "Metadata_Kind": kinds if labels is None else labels},
        index=[f"cell {i}" for i in range(len(kinds))],
    )
    batch = CropBatch(images, None, obs)
    return write_crops(path, [batch], channels=CHANNELS, size=SIDE, provenance={})


def protocol():
    scaling = {"crop.scaling.per": "global", "crop.scaling.transform": "linear", "crop.size": 28}
    return resolve("natural-moco", {"views": [OPERATIONS], **scaling})


@pytest.mark.parametrize(
    ("kinds", "fault", "harmless", "through"),
    [
        (["lying", "standing"], "rotate", ("flip", "stain_gain"), "direction"),
        (["left", "right"], "flip", ("rotate", "stain_gain"), "handedness of DNA and Actin"),
    ],
    ids=["orientation", "chirality"],
)
def test_the_operation_at_fault_is_named_and_no_other(kinds, fault, harmless, through, tmp_path):
    path = store(tmp_path / "crops.h5ad", kinds * 50)
    found = audit(protocol(), path, label="Kind", cells=100, draws=1, shares=(1.0,))
    cost = found.operations.set_index("operation")["cost"]
    assert found.verdict[0].startswith(f"warning: {fault} ")
    assert through in found.verdict[0]
    assert cost[fault] > 0.4
    assert (cost[list(harmless)] < 0.1).all()
    assert not any(line.startswith("warning") for line in found.verdict[1:3])
    assert found.unseen.empty
    # Its views, and so all of them together, show either class alike.
    after = found.contrasts.set_index("operation")["after"]
    assert after[[fault, "whole view"]].max() < 0.7
    assert found.verdict[-1].startswith("warning: whole view: two classes are told apart in 5")


def test_a_mirror_image_is_told_wherever_the_cell_lies(tmp_path):
    path = store(tmp_path / "crops.h5ad", ["left, tailed", "right, tailed"] * 50)
    chosen = resolve(protocol(), {"views": [[*OPERATIONS, {"shift": {"pixels": 3}}]]})
    found = audit(chosen, path, label="Kind", cells=100, draws=1, shares=(1.0,))
    assert [line.split(" (")[0] for line in found.verdict[:2]] == ["warning: flip", "shift"]
    assert found.contrasts.set_index("operation")["after"]["shift"] > 4.5


def test_a_suggestion_leaves_out_what_erases_how_cells_lie(tmp_path):
    path = store(tmp_path / "crops.h5ad", ["lying", "standing"] * 30)
    found = cellssl.suggest(path, label="Kind", base=protocol(), cells=60, draws=1)
    kept = {operation.name: operation for operation in found.protocol.views[0].operations}
    assert "rotate" not in kept or kept["rotate"].degrees < 30
    assert "quarter_turn" in found.dropped
    assert "flip" in kept
    # The reason of what is kept weaker names what more of it would take.
    reasons = {name: one.because for name, one in kept.items() if name in ("rotate", "shift")}
    first = found.scan.drop_duplicates("operation").set_index("operation")["chosen"]
    for name, reason in reasons.items():
        whole = reason.startswith("how a cell lies is no phenotype")
        assert whole == first[name] != ("would take" in reason)


def test_what_turning_takes_by_resampling_alone_leaves_quarter_turns(tmp_path):
    path = store(tmp_path / "crops.h5ad", ["grain", "coarse"] * 30)
    found = cellssl.suggest(path, label="Kind", base=protocol(), cells=60, draws=1)
    kept = {operation.name: operation for operation in found.protocol.views[0].operations}
    assert "rotate" not in kept or kept["rotate"].degrees < 180
    assert kept["quarter_turn"].because.startswith("how a cell lies is no phenotype")


def test_a_space_that_tells_no_class_says_so(tmp_path):
    path = store(tmp_path / "crops.h5ad", ["lying", "standing"] * 30)
    options = {"label": "Kind", "cells": 60, "draws": 1, "shares": (1.0,)}
    spaces = ("measures", "arrangement")  # beside it, one that tells them
    found = audit(protocol(), path, tmp_path / "out", references=spaces, **options)
    assert set(found.contrasts["reference"]) == {"arrangement"}
    assert found.verdict[0].startswith("warning: measures tells no Kind from another")
    # The other space does, and the two can be asked together: that stands before all other advice.
    assert "; arrangement tells 1 of 1 contrasts: ask --reference measures+arr" in found.verdict[0]
    assert found.verdict[-1].count("so little is told of them before any view")
    assert found.unseen[["class_a", "class_b"]].to_numpy().tolist() == [["lying", "standing"]]
    assert (tmp_path / "out" / "audit.png").stat().st_size > 10_000


def test_classes_dealt_out_at_random_are_none(tmp_path):
    """Of few cells a class, chance alone lies d' of two and more apart."""
    rng = np.random.default_rng(3)
    labels = rng.permutation([f"compound {i % 12}" for i in range(60)])
    path = store(tmp_path / "crops.h5ad", ["lying", "right"] * 30, labels)
    found = audit(protocol(), path, label="Kind", cells=60, draws=1, shares=(1.0,))
    assert len(found.unseen) >= 55  # of 66
    chosen = cellssl.suggest(path, label="Kind", base=protocol(), cells=60, draws=1, budget=0.9)
    assert any(
        f"{66 - len(found.unseen)} of 66 contrasts between classes chose (as chance shows some 3"
        in one
        for one in chosen.warnings
    )
    assert "better than chance" in " ".join(found.verdict) or "too few" in found.verdict[0]


def test_a_class_of_one_cell_is_no_contrast(tmp_path):
    path = store(tmp_path / "crops.h5ad", ["lying"] * 20, ["a"] * 19 + ["b"])
    with pytest.raises(StudyError, match="1 value with two of these cells or more"):
        audit(protocol(), path, label="Kind", cells=20)


def test_chance_is_what_groups_that_are_none_lie_apart():
    rng = np.random.default_rng(0)
    codes = np.arange(400) % 4
    X = rng.normal(size=(400, 10)) + 8.0 * (codes == 0)[:, None]
    # That groups differ takes nothing from it: cells are dealt out anew.
    assert by_chance(X, Groups.of(codes)).max() < 0.6
    assert by_chance(X[:40], Groups.of(codes[:40])).min() > 1.0
    assert (by_chance(X, Groups.of(codes), level=0.99) > by_chance(X, Groups.of(codes))).all()


def test_a_class_of_few_cells_is_allowed_more_chance():
    """Among classes of many cells, whose level would be too low for it."""
    kinds = np.repeat(["a", "b", "c", "rare"], [100, 100, 100, 4])
    X = np.random.default_rng(0).normal(size=(304, 12))
    chance = by_chance(X, Groups.of(kinds))
    assert chance[0, 3] / chance[0, 1] == pytest.approx(((1 / 100 + 1 / 4) / (2 / 100)) ** 0.5)
    # Were all of one size, all would be allowed what a pair of many cells is.
    many = by_chance(X, Groups.of(np.arange(304) % 4))
    assert chance[0, 1] == pytest.approx(many[0, 1] * (76 / 100) ** 0.5, rel=0.2)


def spaces_of(features):
    """Ask several spaces of given features about two kinds of cells in turn."""
    spaces = [Reference(name, torch.nn.Identity()) for name in features]
    cells = len(next(iter(features.values())))
    obs = pd.DataFrame({"Kind": (np.arange(cells) % 2).astype(str)})
    return Together(spaces, features, obs, label="Kind", nuisances={})


def test_chance_is_shared_by_the_spaces_that_are_asked_together():
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(20, 12)) for name in ("one", "two", "three")}
    alone, together = spaces_of({"one": features["one"]}), spaces_of(features)
    # Each of three asks at 98.3 %.
    assert together.standings[0].least[0, 1] > 1.05 * alone.standings[0].least[0, 1] > 1


def test_a_space_that_tells_is_heard_beside_one_that_is_louder_by_chance():
    rng = np.random.default_rng(216)  # of 300 draws one of two in which chance is so loud
    apart = rng.normal(size=(24, 2))
    apart[::2, 0] += 1.8
    features = {"quiet": rng.normal(size=(24, 2)), "told": apart}
    together = spaces_of({**features, "loud": rng.normal(size=(24, 14))})
    quiet, told, loud = (one.pairs[0, 1] for one in together.standings)
    least = [one.least[0, 1] for one in together.standings]
    assert quiet < least[0]
    assert loud > told > least[1]
    assert loud < least[2]
    assert len(together.visible()) == 1
    assert together.pairs[0, 1] == told


def test_turning_and_mirroring_change_what_they_should():
    rng = np.random.default_rng(2)
    cell = torch.tensor(np.array([draw("right", rng)]), dtype=torch.float32)
    cell = cell + torch.tensor(np.array([[blob(0, 1, 2, 6, 0.4), blob(2, 0, 2, 5, 0.9)]])).float()
    names = arrangement_names(CHANNELS)
    assert len(names) == 13 * 2 + 6

    def arrange(images):
        return dict(zip(names, CellArrangement()(images)[0].tolist(), strict=True))

    before, turned = arrange(cell), arrange(cell.rot90(dims=(2, 3)))
    mirrored = arrange(cell.flip(3))
    dim = arrange(0.1 + cell / 2)
    for name in names:
        what = property_named(name, CHANNELS)
        assert dim[name] == pytest.approx(before[name], abs=2e-3)
        if what.startswith(("direction", "place")):
            continue
        assert turned[name] == pytest.approx(before[name], abs=2e-3)
        sign = -1 if what.startswith("handedness") else 1
        assert mirrored[name] == pytest.approx(sign * before[name], abs=2e-3)
    assert abs(before["DNA+Actin_side"]) > 0.02
    for name in ("DNA_along", "DNA_fibres_along"):  # a quarter turn is half a turn of its double
        assert turned[name] == pytest.approx(-before[name], abs=2e-3)
    assert mirrored["DNA_right"] == pytest.approx(-before["DNA_right"], abs=2e-3)
    assert property_named("DNA_fibres_along", CHANNELS) == "direction of edges or fibres of DNA"


def test_what_hides_now_this_part_and_now_that_costs_at_most_so_much(tmp_path):
    """Trainings lost nothing where measures of the whole picture lose half."""
    path = store(tmp_path / "crops.h5ad", ["lying", "standing"] * 40)
    erase = {"erase": {"area": [0.05, 0.2]}}
    views = [[erase, {"rotate": {"degrees": 180}}, {"channel_dropout": {"p": 0.3}}]]
    chosen = resolve(protocol(), {"views": views})
    found = audit(chosen, path, label="Kind", cells=80, draws=2, shares=(1.0,))
    table = found.operations.set_index("operation")
    assert table["kept"]["erase"] > 2 / 3
    assert table["cost"]["erase"] > 0.1
    # Of two channels either is blank in 15 % of views; what reaches all parts leaves nothing.
    assert table["kept"]["channel_dropout"] > 0.75
    assert table["kept"]["rotate"] < 0.1
    said = {line.removeprefix("warning: ").split()[0]: line for line in found.verdict}
    assert said["erase"].startswith("erase")
    assert "costs at most" in said["erase"]
    assert "erases" not in said["erase"]
    assert "costs at most" in said["channel_dropout"]
    assert said["rotate"].startswith("warning")


def test_a_blank_cell_does_not_speak_for_all(tmp_path):
    """Its channel is as blank as before, whatever is done to its light: nothing was hidden."""
    path = store(tmp_path / "crops.h5ad", ["lying", "standing"] * 40)
    whole = Crops.open(path)
    images = whole.read()
    images[0, 0] = 30_000
    batch = CropBatch(images, None, whole.obs)
    blank = write_crops(
        tmp_path / "blank.h5ad", [batch], channels=CHANNELS, size=SIDE, provenance={}
    )
    gain = {"stain_gain": {"amplitude": 0.3, "p": 0.5, "channels": ["DNA"]}}
    chosen = resolve(protocol(), {"channels": CHANNELS, "views": [[gain]]})
    found = audit(chosen, blank, label="Kind", cells=80, draws=2, shares=(1.0,))
    assert found.operations.set_index("operation")["kept"]["stain_gain"] < 0.1


def test_a_pair_that_the_second_space_alone_tells_is_told_there():
    """Though it does not tell it twice as well as the first hardly does."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(["a", "b"], 200)
    apart = (kinds == "b")[:, None]
    spaces = [Reference(name, torch.nn.Identity()) for name in ("first", "second")]
    features = {
        "first": rng.normal(size=(400, 2)) + apart * [0.9, 0.0],
        "second": rng.normal(size=(400, 2)) + apart * [1.5, 0.0],
    }
    both = Together(spaces, features, pd.DataFrame({"Kind": kinds}), label="Kind", nuisances={})
    assert 0.5 < both.first.pairs[0, 1] < both.first.least[0, 1]
    assert both.pairs[0, 1] < 2 * both.first.pairs[0, 1]
    assert both.unseen() == []
    assert both.speaker[0, 1] == 1
