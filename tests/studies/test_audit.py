"""What operations erase, on simulated cells whose classes lie in one property each, and on real ones."""

from dataclasses import replace

import jsonschema
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from typer.testing import CliRunner

import cellssl
from cellssl.augment import operation_named
from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, import_crops, write_crops
from cellssl.embedding.baselines import PRETRAINED
from cellssl.errors import EmbeddingError, ModelError, ProtocolError, StudyError
from cellssl.phenotypes.leakage import UsedLabels
from cellssl.protocols import dump, from_dict, load, loads, resolve, schema, used_labels
from cellssl.report import audit_figure
from cellssl.studies import audit
from cellssl.studies.audit.amplitudes import at_share
from cellssl.studies.audit.measures import CellMeasures, measure_names
from cellssl.studies.audit.nuisances import shared
from cellssl.studies.audit.references import Reference, property_named, reference_named
from cellssl.studies.audit.separation import (
    Groups,
    left_to_readout,
    pair_separation,
    within,
)
from cellssl.studies.audit.spreads import spread_separation
from cellssl.studies.audit.standing import Standing
from cellssl.studies.audit.trained import Invariances
from cellssl.training import steps

SIDE = 40
QUICK = {"label": "Kind", "cells": 60, "draws": 1, "shares": (1.0,)}


def draw_cells(kinds, brightness, radius, gain, seed=0):
    """Discs of light on a dark ground, with noise: (N, 1, SIDE, SIDE) uint16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    images = []
    for kind, factor in zip(kinds, gain, strict=True):
        size = radius[kind] * rng.normal(1, 0.06)
        light = brightness[kind] * rng.normal(1, 0.06) * factor
        disc = 1 / (1 + np.exp(np.hypot(y, x) - size))
        images.append(500 + light * disc + rng.normal(0, 60, (SIDE, SIDE)))
    return np.clip(np.stack(images)[:, None], 0, 65535).astype(np.uint16)


def written(path, images, obs):
    """A crop file of these cells."""
    batch = CropBatch(images, None, obs)
    return write_crops(path, [batch], channels=["DNA"], size=SIDE, provenance={})


def changed(crops, path, **columns):
    """The same cells with other columns."""
    stored = Crops.open(crops)
    return written(path, stored.read(), stored.obs.assign(**columns))


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Of three classes, "bright" differs from "usual" in intensity alone and "large" in size alone.

    The second of two plates is brighter by a tenth.
    """
    kinds = np.array(["usual", "bright", "large"] * 48)
    plate = np.repeat(["P1", "P2"], 72)
    images = draw_cells(
        kinds,
        {"usual": 4000, "bright": 5600, "large": 4000},
        {"usual": 8, "bright": 8, "large": 11},
        np.where(plate == "P2", 1.1, 1.0),
    )
    obs = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": [f"A{1 + i % 6:02}" for i in range(144)],
            "Metadata_Kind": kinds,
        },
        index=[f"{p}/A{1 + i % 6:02}/1/{i}" for i, p in enumerate(plate)],
    )
    return written(tmp_path_factory.mktemp("crops") / "crops.h5ad", images, obs)


def protocol(*operations, **changes):
    scaling = {"crop.scaling.per": "global", "crop.scaling.transform": "linear"}
    views = {"views": [list(operations)], "crop.size": 32}
    return resolve("natural-moco", {**views, **scaling, **changes})


def gain(amplitude):
    return {"stain_gain": {"amplitude": amplitude}}


@pytest.fixture(scope="module")
def mild(crops):
    """What a gain does that hardly changes these cells."""
    return audit(protocol(gain(0.1)), crops, **QUICK)


def losses(found, operation="stain_gain"):
    own = found.contrasts[(found.contrasts["operation"] == operation)]
    own = own[own["share"] == 1.0].set_index(["class_a", "class_b"])["lost"]
    return own.to_dict()


def test_gain_erases_intensity_and_leaves_size(crops):
    found = audit(protocol(gain(0.4)), crops, label="Kind", cells=144, draws=4)
    lost = losses(found)
    head, *said = repr(found).splitlines()
    assert head == f"Audit({found.protocol}, Metadata_Kind)"
    assert said == found.verdict
    assert lost["bright", "usual"] > 0.45
    # Some measures, such as the share of bright pixels, are of both.
    assert lost["large", "usual"] < 0.2
    first = found.verdict[0]
    assert first.startswith("warning: stain_gain (amplitude 0.4 ln(factor), p 1) erases ")
    assert "bright against usual loses" in first
    assert "ightness of DNA" in first or "total intensity of DNA" in first


def test_zoom_erases_size_and_leaves_intensity(crops):
    found = audit(protocol({"zoom": {"area": [0.4, 1.6]}}), crops, label="Kind", cells=144, draws=4)
    lost = losses(found, "zoom")
    assert lost["large", "usual"] > 2 * lost["bright", "usual"]
    assert "size or neighbours of DNA" in " ".join(found.verdict)
    erased = found.properties.set_index(["operation", "share", "property"])["erased"]
    assert erased["zoom", 1.0, "size of DNA"] > 0.5


@pytest.mark.parametrize(
    ("intensity", "words"),
    [
        (0.96, "expect an encoder trained so to end below intensity statistics"),
        (0.91, "too near to say whether an encoder trained so ends below intensity statistics"),
        (0.50, "no less than intensity statistics tell"),
    ],
)
def test_what_chance_may_do_is_no_prediction(mild, intensity, words):
    def line(before, **others):
        outlook = mild.outlook.assign(before=before, after=0.9, intensity=intensity)
        return replace(mild, outlook=outlook, **others).verdict[-1]

    least, fewer = line(0.91), line(0.99)
    assert words in least
    assert words in fewer
    assert "fewer than before" not in least
    if intensity == 0.96:
        assert least.startswith("warning: ")
        assert "warning" not in line(0.99, contrasts=mild.contrasts.iloc[:0])  # chance, or a plate
    else:
        assert f"{words}, but 9 cells of 100 fewer than before, mostly for stain_gain (" in fewer


def test_a_view_without_operations_is_said_to_erase_nothing(mild):
    whole = mild.operations["operation"] == "whole view"
    without = replace(mild, operations=mild.operations[whole]).verdict
    assert without == ["the protocol has no operation: it erases nothing, and bridges nothing"]
    # One of several groups may have none.
    rows = mild.operations.assign(groups="other").where(~whole, mild.operations)
    rows.loc[whole, "groups"] = "own"
    outlook = mild.outlook.assign(before=0.91, after=0.9, intensity=0.96)
    told = replace(mild, operations=rows, outlook=outlook).verdict[-1]
    assert "to end below intensity statistics;" in told


def test_of_few_cells_costs_are_said_to_come_out_too_high(mild):
    assert mild.outlook["cells"].tolist() == [60]
    few = "costs rest on 60 cells, and of fewer than 100 they come out too high"
    assert any(line.startswith(few) for line in mild.verdict)
    enough = replace(mild, outlook=mild.outlook.assign(cells=100, before=0.6, after=0.7)).verdict
    assert not any("costs rest on" in line for line in enough)
    assert "told apart in 60% of cells (60% before any view" in enough[-1]  # no view tells more


def test_what_still_tells_every_cell_is_not_called_lost(tmp_path):
    kinds = np.array(["dim", "bright"] * 40)
    images = draw_cells(
        kinds, {"dim": 4000, "bright": 16000}, {"dim": 8, "bright": 8}, np.ones(len(kinds))
    )
    obs = pd.DataFrame(
        {"Metadata_Plate": "P1", "Metadata_Kind": kinds}, index=[f"P1/{i}" for i in range(80)]
    )
    path = written(tmp_path / "crops.h5ad", images, obs)
    found = audit(protocol(gain(0.2), gain(1.5)), path, label="Kind", cells=80, shares=(1.0,))
    small, large = found.contrasts[found.contrasts["operation"] == "stain_gain"].to_dict("records")
    assert 6 < small["after"] < 0.8 * small["before"]
    assert small["lost"] == 0
    assert large["lost"] == pytest.approx(1 - large["after"] / 6)
    first, second = found.verdict[:2]
    assert first.startswith("warning: stain_gain (amplitude 1.5 ln(factor), p 1) ")
    assert f"(d' over 6 to {large['after']:.1f}" in first
    assert second.startswith("stain_gain (amplitude 0.2 ln(factor), p 1) ")
    assert "costs 0% of the contrast" in second


def test_each_of_two_gains_answers_for_itself(crops):
    found = audit(protocol(gain(0.6), gain(0.02)), crops, label="Kind", cells=60, shares=(1.0,))
    large, small = found.verdict[:2]
    assert large.startswith("warning: stain_gain (amplitude 0.6 ln(factor), p 1) erases ")
    assert "bright against usual loses" in large
    assert small.startswith("stain_gain (amplitude 0.02 ln(factor), p 1) costs ")
    assert "loses" not in small


def test_a_neighbour_that_turns_out_of_view_is_not_called_size():
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    cell = (torch.hypot(y - 19.5, x - 19.5) < 8).float()
    neighbour = (torch.hypot(y - 36, x - 36) < 3).float()
    measured = CellMeasures()(torch.stack([cell, cell + 0.4 * neighbour])[:, None])
    changed = (measured[1] / measured[0] - 1).abs()
    names = measure_names(["DNA"])
    assert changed[names.index("DNA_spread")] > 0.1
    assert changed[names.index("DNA_area")] < 0.01
    assert property_named("DNA_spread", ["DNA"]) == "size or neighbours of DNA"
    assert property_named("DNA_area", ["DNA"]) == "size of DNA"


def test_gain_bridges_plates_of_unlike_brightness(crops):
    found = audit(
        protocol(gain(0.4), {"flip": {"p": 0.5}}), crops, label="Kind", cells=144, draws=4
    )
    rows = found.operations[found.operations["share"] == 1.0].set_index("operation")
    assert rows.loc["stain_gain", "bridged Plate"] > 0.4
    assert abs(rows.loc["flip", "bridged Plate"]) < 0.02


def test_light_that_falls_off_to_another_side_of_each_plate_is_bridged(tmp_path):
    plate, kinds = np.repeat(["P1", "P2"], 72), ["usual"] * 72 + ["large"] * 72
    kinds[::2] = ["large"] * 36 + ["usual"] * 36
    images = draw_cells(kinds, dict.fromkeys(kinds, 4000), {"usual": 7, "large": 10}, np.ones(144))
    ramp = np.linspace(0.7, 1.3, SIDE)
    light = np.where((plate == "P1")[:, None], ramp, ramp[::-1])[:, None, None]
    obs = pd.DataFrame(
        {"Metadata_Plate": plate, "Metadata_Kind": kinds}, index=[str(i) for i in range(144)]
    )
    path = written(tmp_path / "crops.h5ad", (images * light).astype(np.uint16), obs)
    options = {**QUICK, "cells": 144}
    found = audit(protocol({"flip": {"p": 0.5}}, gain(0.4)), path, **options)
    bridged = found.operations.set_index("operation")["bridged Plate"]
    assert bridged["flip"] > 0.3
    assert abs(bridged["stain_gain"]) < bridged["flip"] / 3
    assert not any("nothing is said" in line for line in found.verdict)
    narrow = audit(protocol(gain(0.4)), path, **options, references=["measures"])
    assert any("nothing is said of bridging Plate" in line for line in narrow.verdict)


@pytest.mark.parametrize("share", [0.0, 1e-9])
def test_amplitude_zero_erases_nothing(crops, share):
    found = audit(
        protocol(gain(0.8), {"rotate": {"degrees": 90}}), crops, label="Kind", shares=(share,)
    )
    # What is resampled at all is rounded, which alone may show.
    own = found.operations[found.operations["share"] == share]
    assert len(own) == 2
    assert (own["cost"].abs() < 2e-3).all()
    assert (own["bridged Plate"].abs() < 2e-3).all()


def test_half_the_amplitude_erases_less(crops):
    found = audit(protocol(gain(0.8)), crops, label="Kind", shares=(0.25, 0.5))
    own = found.operations[found.operations["operation"] == "stain_gain"]
    assert own["share"].tolist() == [0.25, 0.5, 1.0]
    assert own["cost"].is_monotonic_increasing
    assert own["moved"].is_monotonic_increasing


def test_one_operation_is_wrong_for_one_label_and_right_for_another(crops, tmp_path):
    """In the same cells: gain against a label that lives in intensity, and one in size."""
    kinds = Crops.open(crops).obs["Metadata_Kind"]
    path = changed(
        crops,
        tmp_path / "both.h5ad",
        Metadata_Dose=np.where(kinds == "bright", "high", "low"),
        Metadata_Size=np.where(kinds == "large", "swollen", "normal"),
    )
    dose = audit(protocol(gain(0.3)), path, label="Dose").verdict[0]
    size = audit(protocol(gain(0.3)), path, label="Size").verdict[0]
    assert dose.startswith("warning")
    assert not size.startswith("warning")


def test_pictures_without_wells_want_a_label(tmp_path):
    images = draw_cells(["a"] * 30, {"a": 4000}, {"a": 8}, np.ones(30))
    obs = pd.DataFrame(
        {"Metadata_Plate": "photos", "Metadata_Class": ["cat", "dog"] * 15},
        index=[f"photos/{i}.jpg" for i in range(30)],
    )
    path = tmp_path / "photos.h5ad"
    write_crops(path, [CropBatch(images, None, obs)], channels=["Grey"], size=SIDE, provenance={})
    chosen = protocol(gain(0.4))
    with pytest.raises(StudyError, match=r"no two wells, plates or batches\. Name .* --label"):
        audit(chosen, path, cells=20)
    assert len(audit(chosen, path, label="Class", cells=20).operations)


def test_without_a_label_wells_are_told_apart(crops, tmp_path):
    found = audit(protocol(gain(0.8)), crops, tmp_path / "audit")
    assert found.label is None
    assert found.contrasts.empty
    assert "of the contrast between wells" in found.verdict[0]
    names = {path.name for path in (tmp_path / "audit").iterdir()}
    assert {"audit.png", "verdict.txt", "operations.csv"} <= names


def test_other_references_and_groups_of_views(crops):
    groups = {"all": {}, "flip": {"keep": ["flip"]}}
    grouped = from_dict({**protocol(gain(0.4), {"flip": {}}).to_dict(), "groups": groups})
    found = audit(grouped, crops, label="Kind", references=("measures", "random"), cells=60)
    assert set(found.operations["reference"]) == {"measures", "random"}
    whole = [name for name in found.operations["operation"] if name.startswith("whole view")]
    assert set(whole) == {"whole view of all", "whole view of flip"}


def test_what_one_group_does_is_not_held_against_another(crops):
    groups = {"weak": {"change": {"stain_gain": {"amplitude": 0.8}}}, "strong": {}}
    grouped = from_dict({**protocol(gain(0.9), {"flip": {}}).to_dict(), "groups": groups})
    lines = audit(grouped, crops, **QUICK).verdict
    assert any("stain_gain (amplitude 0.9 ln(factor), p 1) of strong" in line for line in lines)
    assert any(line.startswith("flip (p 0.5) costs") for line in lines)
    wholes = [line for line in lines if "whole view of" in line]
    assert [line.count("stain_gain") for line in wholes] == [1, 1]


def test_one_name_is_as_good_as_a_list_of_it(crops):
    options = {**QUICK, "nuisances": "Plate", "references": "measures", "plates": "P2"}
    found = audit(protocol(gain(0.1)), crops, **options)
    assert set(found.operations["reference"]) == {"measures"}
    assert found.nuisances["nuisance"].tolist() == ["Plate"]


def test_every_pretrained_network_is_a_reference(tmp_path):
    for name in PRETRAINED:
        with pytest.raises(ModelError, match="not-there"):  # and not: no reference is called so
            reference_named(name, ["DNA"], weights=tmp_path / "not-there.pth")


def test_mistakes_are_told(crops):
    with pytest.raises(EmbeddingError, match="no column 'Kin'"):
        audit(protocol(gain(0.1)), crops, label="Kin")
    with pytest.raises(StudyError, match="no reference space is called 'resnet'"):
        audit(protocol(gain(0.1)), crops, references=("resnet",))
    with pytest.raises(StudyError, match=r"no plate P3; there are P1 and P2$"):
        audit(protocol(gain(0.1)), crops, label="Kind", plates=["P3"])
    with pytest.raises(StudyError, match="budget: got 2"):
        cellssl.suggest(crops, label="Kind", budget=2)
    with pytest.raises(
        ProtocolError, match=r"natural-simclr.*--protocol.* 64 px.* crop: \{size: 40\}"
    ):
        cellssl.suggest(crops, label="Kind")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (lambda _: "P1", "these cells lie on one plate"),
        (lambda obs: obs["Metadata_Kind"], "Plate: no value of Kind lies in more than one"),
        (lambda _: np.repeat(["P1", "P2"], 30), "Plate: cells of one Kind do not differ by it"),
    ],
    ids=["one plate", "no class shared", "plates alike"],
)
def test_a_suggestion_without_a_nuisance_says_why(column, message, tmp_path):
    kinds = np.array(["usual", "large"] * 30)
    one = draw_cells(
        kinds[:6], {"usual": 4000, "large": 4000}, {"usual": 8, "large": 11}, np.ones(6)
    )
    obs = pd.DataFrame(
        {"Metadata_Plate": "P1", "Metadata_Well": "A01", "Metadata_Kind": kinds},
        index=[f"cell {i}" for i in range(60)],
    )
    obs["Metadata_Plate"] = column(obs)
    path = written(tmp_path / "crops.h5ad", np.concatenate([one] * 10), obs)
    with pytest.raises(StudyError, match=message):
        cellssl.suggest(path, label="Kind", base=protocol())


@pytest.fixture(scope="module")
def from_controls(crops, tmp_path_factory):
    """What is suggested from two of the classes, called controls; wells hold all classes, or one each."""
    obs = Crops.open(crops).obs
    kinds = obs["Metadata_Kind"].astype(str)
    mixed = [f"A{1 + i // 3 % 4:02}" for i in range(len(kinds))]
    folder = tmp_path_factory.mktemp("controls")
    found = {}
    for name, wells in {"mixed": mixed, "sorted": obs["Metadata_Well"]}.items():
        control = kinds.where(kinds != "large", "")
        columns = {"Metadata_Control": control, "Metadata_Well": wells}
        path = changed(crops, folder / f"{name}.h5ad", **columns)
        options = {"nuisances": ["plate"], "base": protocol(), "cells": 144}
        found[name] = cellssl.suggest(path, folder / f"{name}.yaml", label="Control", **options)
        assert repr(found[name]).startswith("Suggestion(suggested")
    return found, folder


def zoom_taken(suggestion):
    return suggestion.scan.query("operation == 'zoom'")["share"].min()


def test_a_suggestion_from_one_contrast_says_what_it_cannot_see(crops, from_controls):
    found, folder = from_controls
    warning = found["mixed"].warnings[0]
    assert "one contrast chose, bright against usual" in warning
    assert f"# Beware: {warning}." in (folder / "mixed.yaml").read_text()
    # What the warning is about: size tells no control, and zoom takes what it tells of others.
    options = {"nuisances": ["plate"], "base": protocol(), "cells": 144}
    every = cellssl.suggest(crops, folder / "all.yaml", label="Kind", **options)
    assert "one contrast" not in (folder / "all.yaml").read_text()
    assert zoom_taken(found["mixed"]) > zoom_taken(every)


def test_wells_without_a_label_speak_beside_one_contrast(from_controls):
    found, folder = from_controls
    assert "labels show one contrast, bright against usual" in found["sorted"].warnings[0]
    # Size is told by wells that have no label, and zoom would take it.
    assert zoom_taken(found["sorted"]) < zoom_taken(found["mixed"])
    assert "what wells of a plate differ by" in set(found["sorted"].scan["contrast"])
    assert "what wells of a plate differ by" not in set(found["mixed"].scan["contrast"])
    # A well has one kind of cells: who chose by wells has seen kinds, though nobody named them.
    obs = Crops.open(folder / "sorted.h5ad").obs.assign(Metadata_Control="negative")
    told = {
        name: UsedLabels.of(used_labels(one.protocol, obs)).tell(obs, "Metadata_Kind")
        for name, one in found.items()
    }
    assert told == {"sorted": True, "mixed": False}


def test_suggestion_keeps_contrasts_and_records_labels(crops, tmp_path):
    out = tmp_path / "mine.yaml"
    found = cellssl.suggest(
        crops, out, label="Kind", base=protocol(), name="mine", plates=["P1", "P2"], budget=0.2
    )
    written = load(out)
    assert written == found.protocol
    jsonschema.validate(yaml.safe_load(out.read_text()), schema())
    chosen = found.scan[found.scan["chosen"]]
    assert (chosen["cost"] <= 0.2).all()
    whole = found.scan.iloc[-1]
    assert whole["operation"] == "whole view"
    assert whole["cost"] >= chosen["cost"].max()
    assert f"# The whole view {found.together}." in out.read_text()
    assert any("all operations together" in told for told in found.warnings) == (
        whole["cost"] > 0.3
    )
    # 144 cells in batches of 256 for 25 epochs were 25 steps.
    assert (written.training.batch_size, written.training.epochs) == (32, 125)
    assert steps(144, written.training) == 500
    told = "125 epochs in batches of 32, not 25 epochs in batches of 256, which of 144 cells make 25 steps"
    assert found.training == f"{told} and not 500"
    assert f"# Training: {found.training}." in out.read_text()
    operations = {one.name: one for one in written.views[0].operations}
    assert "differs by" in operations["rotate"].because
    assert "stain_gain" in operations  # plates differ by a gain
    assert operations["stain_gain"].amplitude < 0.6
    assert "zoom" not in operations  # none of them differ by size
    assert "# Left out: zoom" in out.read_text()
    assert used_labels(written, Crops.open(crops).obs) == {
        "columns": ["Metadata_Kind"],
        "plates": ["P1", "P2"],
    }


@pytest.mark.parametrize(("view", "pixels"), [(SIDE, 2.0), (SIDE - 6, 3.0), (SIDE - 16, 4.0)])
def test_a_suggestion_shifts_no_further_than_there_are_pixels(crops, view, pixels):
    base = resolve(protocol(), {"crop.size": view})
    found = cellssl.suggest(crops, label="Kind", base=base, cells=60, draws=1, budget=0.9)
    shift = next(one for one in found.protocol.views[0].operations if one.name == "shift")
    assert shift.pixels == pixels


def test_scores_on_labels_that_amplitudes_were_chosen_by_are_refused(crops, tmp_path):
    used = {"columns": ["Kind"], "plates": ["P1"]}
    base = from_dict({**protocol(gain(0.1)).to_dict(), "labels_used": used})
    assert loads(dump(base)) == base
    tiny = {
        "training.epochs": 1,
        "training.width": 0.125,
        "training.batch_size": 16,
        "training.method": "simclr",
    }
    run = cellssl.train(crops, base, tmp_path / "run", changes=tiny, progress=False)
    embedding = cellssl.embed(crops, run, progress=False)
    assert embedding.uns["cellssl"]["weak"]
    with pytest.raises(
        EmbeddingError, match=r"amplitudes were chosen by them.* Score the 72 cells"
    ):
        cellssl.evaluate([embedding], label="Kind")

    found = cellssl.invariances(run, crops, tmp_path / "found", label="Kind")
    assert repr(found).startswith(f"Invariances({found.run}, ")
    assert found.operations["operation"].tolist() == ["stain_gain", "whole view"]
    assert (found.operations[["moved_reference", "moved_encoder"]] > 0).all(axis=None)
    assert len(found.contrasts) == 3
    assert (tmp_path / "found" / "invariances.png").stat().st_size > 10_000


def test_the_commands(crops, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(dump(protocol(gain(0.8))))
    result = CliRunner().invoke(
        app, ["protocols", "audit", str(path), str(crops), "--label", "kind", "--cells", "60"]
    )
    assert result.exit_code == 0, result.output
    assert "warning: stain_gain" in result.output
    out = tmp_path / "suggested.yaml"
    result = CliRunner().invoke(
        app,
        [
            *("protocols", "suggest", str(crops), "--label", "Kind", "--nuisance", "plate"),
            *("--protocol", str(path), "--cells", "60", "-o", str(out)),
        ],
    )
    assert result.exit_code == 0, result.output
    assert load(out).name == "suggested"
    assert "\nflip (p 0.5): how a cell lies is no phenotype" in result.output
    assert "-0%" not in result.output
    assert "training: 125 epochs in batches of 32" in result.output
    assert (
        "all plates (2 plates) were looked at, so that scores of Kind on these are refused"
        in result.output
    )
    assert "choose by the others, each named with --plate" in result.output


def test_shares_of_operations():
    zoom = operation_named("zoom")(area=(0.8, 1.2), p=0.5)
    assert at_share(zoom, 0.5) == operation_named("zoom")(area=(0.9, 1.1), p=0.5)
    assert at_share(zoom, 0.0).idle
    assert at_share(operation_named("flip")(p=0.5), 0.5).p == 0.25
    defocus = operation_named("defocus")(sigma=(0.5, 2.0))
    assert at_share(defocus, 0.5).sigma == (0.25, 1.0)


def test_measures_know_size_from_brightness():
    y, x = np.mgrid[:32, :32] - 15.5
    disc = torch.from_numpy(1 / (1 + np.exp(np.hypot(y, x) - 8))).float()[None, None]
    names = measure_names(["DNA"])
    before, brighter = (
        dict(zip(names, CellMeasures()(i)[0].tolist(), strict=True)) for i in (disc, disc / 2)
    )
    assert brighter["DNA_mean"] == pytest.approx(before["DNA_mean"] / 2, rel=1e-4)
    for name in ("DNA_area", "DNA_spread", "DNA_fine_texture"):
        assert brighter[name] == pytest.approx(before[name], abs=1e-3)
    turned = CellMeasures()(disc.rot90(dims=(2, 3)))[0]
    torch.testing.assert_close(turned, torch.tensor(list(before.values())), atol=1e-4, rtol=1e-3)
    assert property_named("a+b_agreement", ["a", "b"]) == "agreement of channels of a and b"


def test_separation_is_that_of_gaussians():
    rng = np.random.default_rng(0)
    codes = np.repeat(["a", "b"], 4000)
    X = rng.normal(size=(8000, 3)) + np.where(codes == "a", 0.0, 2.0)[:, None] * [1, 0, 0]
    groups = Groups.of(codes)
    noise = within(X, groups)
    assert pair_separation(X, groups, noise)[0, 1] == pytest.approx(2.0, abs=0.05)
    more = noise + np.diag([3.0, 0, 0])  # four times the variance: half the distance
    assert pair_separation(X, groups, more)[0, 1] == pytest.approx(1.0, abs=0.05)
    assert pair_separation(X, groups, noise + np.diag([0, 9.0, 9.0]))[0, 1] > 1.9
    # Two means 2 apart have a variance of 2.
    assert spread_separation(X, groups, noise) == pytest.approx(2**0.5, abs=0.05)
    assert spread_separation(rng.normal(size=(8000, 3)), groups, noise) < 0.05


@pytest.fixture(scope="module")
def real(data, tmp_path_factory):
    source = data / "bbbc021" / "crops"
    return import_crops(
        source / "crops.h5",
        source / "cells.csv",
        tmp_path_factory.mktemp("real"),
        channels=["DAPI", "Tubulin", "Actin"],
    )


def test_the_natural_recipe_is_predicted_to_end_below_intensity_statistics(real):
    options = {"label": "MOA", "where": "Metadata_benchmark", "cells": 260, "shares": (1.0,)}
    natural = audit("natural-moco", real, draws=1, **options)
    outlook = natural.outlook.iloc[0]
    assert outlook["after"] < outlook["intensity"] < outlook["before"]
    assert "expect an encoder trained so to end below intensity statistics" in natural.verdict[-1]
    assert "color_jitter" in natural.verdict[-1]
    expert = audit("bbbc021-expert", real, draws=1, **options)
    assert expert.outlook["after"].iloc[0] > outlook["after"] + 0.03
    assert not any(line.startswith("warning") for line in expert.verdict)


def test_gain_in_real_cells_is_worse_for_total_intensity_than_for_mechanism(real, tmp_path):
    """MoA, and a label made of total intensity, of the same cells under the same operation."""
    stored = Crops.open(real)
    rows = np.flatnonzero(stored.obs["Metadata_benchmark"].to_numpy(bool))[::3]
    pixels, obs = stored.read(rows), stored.obs.iloc[rows].copy()
    total = pixels.mean(axis=(1, 2, 3))
    low, high = np.quantile(total, [1 / 3, 2 / 3])
    obs["Metadata_Amount"] = np.select([total < low, total > high], ["low", "high"], "middle")
    path = write_crops(
        tmp_path / "crops.h5ad",
        [CropBatch(pixels, None, obs)],
        channels=stored.channels,
        size=stored.size,
        provenance={},
    )
    options = {"cells": 390, "draws": 2, "shares": (1.0,)}

    def under(amplitude, label):
        gain = {"stain_gain": {"amplitude": amplitude, "per_channel": False}}
        return audit(resolve("natural-moco", {"views": [[gain]]}), path, label=label, **options)

    amount, mechanism = under(0.4, "Amount"), under(0.4, "MOA")
    # Trained with so much of it, both lost; with the expert's, the mechanism did not.
    assert all(found.verdict[0].startswith("warning: stain_gain") for found in (amount, mechanism))
    assert not under(0.15, "MOA").verdict[0].startswith("warning")
    costs = [found.operations["cost"].iloc[0] for found in (amount, mechanism)]
    assert costs[0] > 2 * costs[1]


def test_classes_that_share_no_plate_are_named(crops, tmp_path):
    kinds = Crops.open(crops).obs["Metadata_Kind"].to_numpy(str)
    plates = {"usual": "P1", "bright": "P2", "large": "P2"}

    def told(name, plates):
        path = changed(crops, tmp_path / name, Metadata_Plate=plates)
        return audit(protocol(gain(0.1)), path, label="Kind", cells=90, draws=1, shares=(1.0,))

    some = told("some.h5ad", [plates[kind] for kind in kinds])
    apart = some.contrasts.set_index(["class_a", "class_b"])["apart"].to_dict()
    pairs = [("bright", "large"), ("bright", "usual"), ("large", "usual")]
    assert [apart[pair] for pair in pairs] == ["", "Plate", "Plate"]
    line = next(line for line in some.verdict if "share no Plate" in line)
    assert line.startswith("2 of 3 contrasts are between classes that share no Plate, such as ")
    assert "(each of 3 classes lies on one Plate alone)" in line
    every = told("every.h5ad", kinds)
    assert every.verdict[0].startswith("warning: 3 of 3 contrasts are between classes that share")
    # Most of the usual cells lie on a plate of their own, or of which others have some.
    few = np.arange(len(kinds)) % 5 == 0
    for other in ("P2", np.where(few, "P1", "P2")):
        part = told("part.h5ad", np.where((kinds == "usual") & ~few, "P1", other))
        line = next(line for line in part.verdict if "part of what tells" in line)
        assert line.startswith(
            "2 of 3 contrasts are between classes that hardly share a Plate, such as "
        )
        assert not any("share no" in line for line in part.verdict)
    for nuisances in (None, ()):
        usual = audit(protocol(gain(0.1)), crops, nuisances=nuisances, **QUICK)
        assert usual.nuisances.empty == (nuisances is not None)
        assert not any("share no" in line or "part of what" in line for line in usual.verdict)


def test_a_class_of_which_no_plate_is_known_is_not_said_to_lie_on_another():
    classes = Groups.of(["a", "a", "b", "b", "c", "c"])
    told = shared(classes, ["P1", "P1", "P2", "", "", ""]) == 0
    assert np.argwhere(told).tolist() == [[0, 1], [1, 0]]


def test_wells_are_compared_within_their_plate(tmp_path):
    """Where plates alone differ, what bridges them costs nothing; and a plate of one well says nothing."""
    plate = np.repeat(["P1", "P2", "P3"], 48)
    factor = np.select([plate == "P1", plate == "P2"], [1.0, 1.4], 0.7)
    images = draw_cells(["cell"] * 144, {"cell": 4000}, {"cell": 8}, factor)

    def told(name, well):
        obs = pd.DataFrame(
            {"Metadata_Plate": plate, "Metadata_Well": well},
            index=[f"{p}/{w}/1/{i}" for i, (p, w) in enumerate(zip(plate, well, strict=True))],
        )
        path = written(tmp_path / name, images, obs)
        return audit(protocol(gain(0.5)), path, tmp_path / "out", shares=(1.0,), draws=1)

    many = told("many.h5ad", [f"A{1 + i % 4:02}" for i in range(144)]).operations.iloc[0]
    assert many["bridged Plate"] > 0.3
    assert np.isnan(many["cost"])  # wells of one plate differ no more than by chance
    single = told("single.h5ad", ["A01"] * 144)
    assert single.operations["cost"].isna().all()
    assert "no contrast between wells of one plate is there to lose" in single.verdict[0]
    assert len(single.figure().axes) == 2  # what should go, and the scale: no empty row of costs


def test_groups_in_blocks_are_compared_within_them():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(40), 50)
    names = Groups.of([f"{code:02}" for code in codes])
    blocks = np.arange(40) // 2
    own, block = rng.normal(size=(40, 2)) * 0.5, rng.normal(size=(20, 2)) * 5
    X = rng.normal(size=(2000, 2)) + own[codes] + block[blocks[codes]]
    noise = np.eye(2)
    assert spread_separation(X, names, noise, blocks=blocks) == pytest.approx(0.5**0.5, rel=0.2)
    assert spread_separation(X, names, noise) > 5


def test_what_moves_together_is_lost_to_a_readout_that_does_not_learn_of_it():
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    X = np.vstack([square, square + np.array([2.0, 0.0])])  # the first measure tells them, 2 apart
    groups = Groups.of(np.repeat(["a", "b"], 4))
    both = 8.0 * np.ones((2, 2))  # what moves it moves the second measure alike
    kept = left_to_readout(X, groups, np.eye(2), both)[0, 1]
    assert kept == pytest.approx(1 / 3)
    # Their difference is left: 2 (I + both)⁻¹ 2 = 4 (1 − 8/17), of 4 before.
    many, of_many = np.tile(X, (5000, 1)), Groups.of(np.tile(np.repeat(["a", "b"], 4), 5000))
    anew = pair_separation(many, of_many, np.eye(2) + both)[0, 1] / 2
    assert anew == pytest.approx(np.sqrt(9 / 17), abs=0.01)
    alone = left_to_readout(X, groups, np.eye(2), np.diag([3.0, 0.0]))[0, 1]
    assert alone == pytest.approx(1 / 2)  # nothing moves with it: nothing could be allowed for


@pytest.mark.parametrize("as_read", [0.12, 0.28, 0.45])
def test_a_cost_that_must_be_learnt_of_is_told_and_no_warning(mild, as_read):
    assert (mild.operations["cost_as_read"] >= mild.operations["cost"]).all()
    far = mild.contrasts.assign(before=9.0, after=7.0)
    operations = mild.operations.assign(cost=0.0, cost_as_read=as_read)
    line = replace(mild, operations=operations, contrasts=far).verdict[0]
    assert line.startswith("stain_gain")
    told = f"costs 0% of the contrast, {as_read:.0%} unless the encoder learns to allow for it"
    assert (told in line) == (as_read > 0.25)


@pytest.mark.parametrize(
    ("before", "after", "warns"), [(6, 4.5, False), (6, 3.5, True), (2, 1.9, False), (2, 1.8, True)]
)
def test_a_warning_is_of_cells_that_are_no_longer_told(mild, before, after, warns):
    lost = 1 - after / before
    contrasts = mild.contrasts.assign(before=before, after=after, lost=lost)
    found = replace(mild, operations=mild.operations.assign(cost=lost), contrasts=contrasts)
    assert found.verdict[0].startswith("warning: stain_gain") == warns


@pytest.mark.parametrize(
    ("operation", "through", "warns"),
    [
        ("rotate", "medium texture of DNA", False),
        ("shift", "number of spots of DNA", False),
        ("rotate", "direction of edges or fibres of DNA", True),
        ("flip", "handedness of DNA and Actin", True),
        ("rotate", "", True),  # a network's features have no names
        ("stain_gain", "medium texture of DNA", True),
    ],
)
def test_what_turning_takes_by_resampling_alone_is_told_and_no_warning(
    mild, operation, through, warns
):
    contrasts = mild.contrasts.assign(
        operation=operation, before=2.0, after=1.6, lost=0.2, through=through
    )
    cases = mild.operations.assign(cost=0.2)
    cases["operation"] = cases["operation"].where(cases["operation"] == "whole view", operation)
    gone = mild.properties.assign(operation=operation, property=through, erased=0.8)
    line = replace(mild, operations=cases, contrasts=contrasts, properties=gone).verdict[0]
    assert line.startswith("warning: " if warns else operation)
    assert through == "" or (f"erases {through}" in line) == warns
    assert ("by resampling or what comes in at the view's border" in line) != warns


def test_plates_are_told_in_units_of_cells_of_one_plate():
    """However far apart three plates lie, what varies cells by as much as they vary takes 1 − √½ of it."""
    rng = np.random.default_rng(0)
    X, plate = rng.normal(size=(900, 3)), np.repeat([0, 1, 2], 300)
    X[:, 0] += 4 * plate
    obs = pd.DataFrame({"Metadata_Plate": plate.astype(str), "Kind": np.tile(["a", "b"], 450)})
    known = Reference("any", torch.nn.Identity())
    standing = Standing(known, X, obs, label="Kind", nuisances={"Plate": "Metadata_Plate"})
    plates = standing.nuisances["Plate"]
    assert plates.apart == pytest.approx(4, rel=0.1)
    moved = standing.moved(X + rng.normal(size=(4, 900, 1)) * [1, 0, 0])
    assert plates.lost(moved.noise) == pytest.approx(1 - np.sqrt(1 / 2), abs=0.03)


def test_plates_that_differ_by_chance_alone_are_not_bridged(crops, tmp_path):
    plates = np.random.default_rng(4).permutation(np.repeat(["P1", "P2"], 72))
    path = changed(crops, tmp_path / "crops.h5ad", Metadata_Plate=plates)
    found = audit(protocol(gain(0.4)), path, **{**QUICK, "cells": 144})
    assert found.nuisances["separation"].tolist() == [0.0]
    assert not any("bridges" in line for line in found.verdict)
    assert any(line.startswith("nothing is said of bridging Plate") for line in found.verdict)
    with pytest.raises(StudyError, match="do not differ by it"):
        cellssl.suggest(path, label="Kind", base=protocol())


def test_what_changes_every_view_alike_leaves_nothing_to_learn_to_allow_for(crops):
    usual = {**QUICK, "draws": 2}
    for p in (0.5, 1.0):
        found = audit(protocol({"blur": {"sigma": [6, 6], "p": p}}), crops, **usual).operations
        assert (found["cost_as_read"] > found["cost"]).all() == (p < 1)


def test_a_figure_of_nothing_says_so(crops):
    found = audit(protocol(gain(0.4)), crops, **QUICK)
    nothing = replace(
        found,
        operations=found.operations.drop(columns="bridged Plate").assign(cost=np.nan),
        classes=found.classes.iloc[:0],
    )
    assert "nothing to draw" in " ".join(text.get_text() for text in nothing.figure().texts)


def test_what_ends_below_intensity_is_blamed_on_what_carried_the_contrast(crops):
    views = [gain(0.9), {"flip": {"p": 0.5}}]
    found = audit(protocol(*views), crops, label="Kind", cells=90, draws=1, shares=(1.0,))
    said = replace(found, outlook=found.outlook.assign(after=0.5, intensity=0.9)).verdict[-1]
    lost = found.contrasts[found.contrasts["operation"] == "stain_gain"]
    most = lost.groupby("through")["lost"].sum().idxmax()
    blamed = f"mostly for stain_gain ({most}); bridges"
    assert blamed in said  # the flip, which costs nothing, is not
    cases = found.operations.assign(cost=0.5)
    cases.loc[cases["operation"] == "flip", "cost"] = 0.9  # by resampling
    contrasts = found.contrasts.copy()
    contrasts.loc[contrasts["operation"] == "flip", "through"] = "fine texture of DNA"
    outlook = found.outlook.assign(after=0.5, intensity=0.9)
    turned = replace(found, operations=cases, contrasts=contrasts, outlook=outlook)
    assert blamed in turned.verdict[-1]


def test_the_whole_view_says_how_far_apart_plates_still_lie(mild):
    cases = mild.operations.assign(**{"bridged Plate": 0.5})
    plates = mild.nuisances.assign(separation=15.0)  # which shall not read as if half were gone
    line = replace(mild, operations=cases, nuisances=plates).verdict[-1]
    assert line.endswith("; bridges 50% of what Plate differs by (d' 15.0 to 7.5)")


def test_doses_stand_in_the_order_of_their_numbers():
    assert Groups.of(["10", "1", "2", "0.3", "10", "1", "2", "0.3"]).names == (
        "0.3",
        "1",
        "2",
        "10",
    )


def test_cells_without_a_label_and_classes_of_one_are_named(crops, mild, tmp_path):
    kinds = Crops.open(crops).obs["Metadata_Kind"].to_numpy(str).astype(object)
    kinds[:5], kinds[5] = "", "rare"
    path = changed(crops, tmp_path / "changed.h5ad", Metadata_Kind=kinds)
    found = audit(protocol(gain(0.1)), path, **QUICK)
    assert found.absent.to_numpy().tolist() == [["", 5], ["rare", 1]]
    assert "left out: 5 cells have no Kind, and rare has one cell" in found.verdict
    assert not any("left out" in line for line in mild.verdict)


def test_a_plate_that_stands_for_all_is_named(crops, tmp_path):
    """Wells differ on one plate of four: one of its wells is of other cells."""
    kinds = Crops.open(crops).obs["Metadata_Kind"].to_numpy(str)
    usual, large = np.flatnonzero(kinds == "usual"), np.flatnonzero(kinds == "large")
    rng = np.random.default_rng(0)
    wells = pd.DataFrame({"Metadata_Plate": [""] * 144, "Metadata_Well": "A01"})
    for number, rows in enumerate(np.array_split(rng.permutation(usual), 4)):
        wells.loc[rows, "Metadata_Plate"] = f"Q{number}"
        wells.loc[rows[::2], "Metadata_Well"] = "A02"
    wells.loc[large, ["Metadata_Plate", "Metadata_Well"]] = ["Q0", "A03"]
    rows = np.concatenate([usual, large])
    stored = Crops.open(crops)
    obs = stored.obs.iloc[rows].assign(**{n: wells[n].to_numpy()[rows] for n in wells})
    images = stored.read(np.sort(rows))
    path = written(tmp_path / "q.h5ad", images, obs.iloc[np.argsort(rows)])
    found = audit(protocol(gain(0.1)), path, cells=144, draws=1, shares=(1.0,))
    assert found.plates.set_index("plate")["share"].idxmax() == "Q0"
    assert found.verdict[0].startswith("warning: ")
    assert "lies on one of 4 plates, Q0" in found.verdict[0]
    usual_wells = audit(protocol(gain(0.1)), crops, draws=1, shares=(1.0,))
    assert not any("lies on one of" in line for line in usual_wells.verdict)


def test_what_changes_nothing_says_so(crops):
    views = protocol({"saturation": {"level": [1.0, 1.0]}}, gain(0.2))
    found = audit(views, crops, **QUICK)
    assert any(
        line.startswith("saturation") and line.endswith("changes nothing in these cells")
        for line in found.verdict
    )


def test_a_space_that_was_asked_is_not_advised(crops, tmp_path):
    kinds = np.random.default_rng(0).permutation(Crops.open(crops).obs["Metadata_Kind"])
    path = changed(crops, tmp_path / "changed.h5ad", Metadata_Kind=kinds)
    said = {
        name: audit(protocol(gain(0.1)), path, references=(name,), **QUICK).verdict[0]
        for name in ("random", "measures")
    }
    assert all("tells no Kind from another" in line for line in said.values())
    assert "--reference random" in said["measures"]
    assert "--reference random" not in said["random"]
    assert "(a pretrained one with --weights)" in said["random"]


def test_contrasts_that_an_encoder_forgot_are_named():
    columns = ["class_a", "class_b", "before", "predicted", "encoder", "told"]
    rows = [("a", "b", 2.0, 1.0, 0.0, False), ("a", "c", 3.0, 2.9, 2.0, True)]
    rows.append(("b", "c", 4.0, 0.5, 0.2, False))
    found = Invariances("run", pd.DataFrame(), pd.DataFrame(rows, columns=columns))
    assert found.forgotten == ["b against c", "a against b"]
    assert Invariances("run", pd.DataFrame(), pd.DataFrame(columns=columns)).forgotten == []


def test_of_many_classes_the_figure_shows_those_that_lose_most():
    case = {"reference": "measures", "operation": "blur", "amplitude": "p 1", "share": 1.0}
    operations = pd.DataFrame([{**case, "cost": 0.2}])
    classes = pd.DataFrame([{**case, "class": f"c{i}", "lost": i / 100} for i in range(90)])
    contrasts = pd.DataFrame([{**case, "class_a": "c0", "class_b": "c1", "lost": 0.1}])
    figure = audit_figure(operations, classes, contrasts, title="many")
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == [f"c{i}" for i in range(89, 49, -1)]
    assert "the 40 of 90 that lose most" in figure.axes[0].get_title(loc="left")
