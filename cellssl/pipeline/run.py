"""The main job: from a plate to a report, each stage skipped when its result for the same inputs is there."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.arguments import one_path, whole_numbers
from cellssl.cells import Segmenter, ThresholdSegmenter, crop
from cellssl.crops import Crops
from cellssl.embedding import check_orientations, is_baseline
from cellssl.errors import CellsslError, ModelError
from cellssl.files import make_folder
from cellssl.framing import stored_size
from cellssl.phenotypes import choose_dose, choose_label, columns_there
from cellssl.phenotypes.clustering.clustering import FEWEST
from cellssl.phenotypes.leakage import UsedLabels, fair_cells, refuse_leaks
from cellssl.pipeline.stages import crop_cells, embed_cells, score_embeddings
from cellssl.pipeline.summary import summarise
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import PlateIndex
from cellssl.plates.illumination import Method
from cellssl.protocols import Protocol, from_dict, require_fit, resolve, used_labels
from cellssl.studies import plan_baselines, train
from cellssl.studies.readiness import refuse_told
from cellssl.training import load_checkpoint
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """Where the results of a run lie.

    Attributes
    ----------
    report
        The page to look at.
    crops, model
        The crop file, and the run folder or checkpoint of the encoder.
    embeddings
        Embeddings by name; the encoder's own, ``"cellssl"``, comes first.
    scores
        The tidy score table.
    """

    report: Path
    crops: Path
    model: Path
    embeddings: dict[str, Path]
    scores: pd.DataFrame

    def __repr__(self) -> str:
        return f"RunResult({self.report}, {listed(list(self.embeddings), most=6)})"


@whole_numbers(crop_size=2, binning=0, sample=1, workers=1)
def run(
    plate: PlateIndex | str | Path,
    out: str | Path,
    *,
    protocol: Protocol | str | Path | None = None,
    model: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    segmenter: Segmenter | None = None,
    crop_size: int | None = None,
    binning: int = 1,
    illumination: Method = "median",
    keep: Sequence[str] = (),
    label: str | None = None,
    held_out: bool = False,
    dose: str | None = None,
    baselines: Mapping[str, Path | None] | None = None,
    sample: int = 5000,
    orientations: int = 1,
    workers: int = 1,
    scheduler: str | None = None,
    download: bool = True,
    redo: str | None = None,
    device: str = "auto",
    progress: bool = True,
) -> RunResult:
    """Take a plate from images to a report: crop, train, embed, evaluate, report.

    Each stage is skipped when its finished result for the same inputs is already in `out`; an interrupted run goes
    on where it stopped.

    Parameters
    ----------
    plate
        A plate's index (see :func:`cellssl.plates.index`), its saved table, or a crop file (``.h5ad``).
    out
        The folder for all results.
    protocol
        A protocol, its name or file: what the encoder is trained with.
    model
        A run folder or checkpoint whose encoder is used instead of training one.
    changes
        Values that replace the protocol's, by dotted key: ``{"training.epochs": 5}``.
    segmenter
        Finds the nuclei; the threshold segmenter when left out.
    crop_size
        Side of the stored crops in pixels; 1.5 times the protocol's view when left out.
    label
        The obs column to score against; MOA, Phenotype, Compound, Gene, Control or Class when left out,
        the first with two values; controls before compounds or genes that are not repeated.
    held_out
        Score only cells of plates whose labels the protocol does not use for its positives; without it a score that
        would ask for labels that training was given is refused, before anything is done.
    dose
        The obs column of doses; one called dose or concentration when left out. With negative and positive controls,
        the report shows where wells lie between them against their dose.
    baselines
        Model names mapped to weight files (None: by name); ResNet-101, random and simple features when left out.
    sample
        Cells that baselines embed and that scores are computed on, drawn evenly over the wells.
    orientations
        Of how many orientations of a cell features are the mean, as in :func:`cellssl.embed`; for baselines, too.
    binning, illumination, keep, workers, scheduler
        As in :func:`cellssl.cells.crop`.
    download
        Whether pretrained weights that are not at hand may be downloaded.
    redo
        A stage to do again, with all that follow; their old results are deleted first.
    device, progress
        As in :func:`cellssl.train`.

    Raises
    ------
    CellsslError
        With what to mend; finished stages are kept.
    """
    chosen = _choose_protocol(protocol, model, changes)
    check_orientations(orientations)
    planned = list(
        plan_baselines(baselines, chosen, sample=sample, orientations=orientations, device=device)
    )
    segmenter = segmenter or ThresholdSegmenter()
    size = crop_size or stored_size(chosen.crop.size)
    source = _open(plate)
    # Mistakes show now, not after hours.
    label, dose = _check(source, chosen, size, label, dose, segmenter)
    _refuse_used(source, chosen, model, label, held_out=held_out)

    space = Workspace(make_folder(out), device, progress)
    if redo is not None:
        given = [source.path] if isinstance(source, Crops) else []
        space.forget_from(redo, given=[*given, *([Path(model)] if model is not None else [])])
    cut = partial(
        crop,
        segmenter=segmenter,
        size=size,
        binning=binning,
        illumination=illumination,
        keep=keep,
        workers=workers,
        scheduler=scheduler,
    )
    cells = source if isinstance(source, Crops) else crop_cells(space, source, cut)
    if len(cells) < FEWEST:
        raise CellsslError(
            f"{cells.path} holds {counted(len(cells), 'cell')}, too few for a report: clustering needs "
            f"at least {FEWEST}"
        )
    if model is None:
        _LOG.info("train: %s, %d epochs", chosen.name, chosen.training.epochs)
        model = train(cells, chosen, space / "model", device=device, progress=progress)
    model = Path(model)
    embeddings, absent = embed_cells(
        space, cells.path, model, planned, orientations=orientations, download=download
    )
    scores = score_embeddings(space, embeddings, absent, label, sample, held_out=held_out)
    report = summarise(
        space,
        source if isinstance(source, PlateIndex) else None,
        cells,
        model,
        chosen,
        embeddings["cellssl"],
        scores,
        segmenter,
        binning=binning,
        label=label,
        dose=dose,
    )
    return RunResult(report, cells.path, model, embeddings, scores)


def _choose_protocol(
    protocol: Protocol | str | Path | None,
    model: str | Path | None,
    changes: Mapping[str, Any] | None,
) -> Protocol:
    """Take the protocol that is given, or the one that the given model was trained with."""
    if (protocol is None) == (model is None):
        raise CellsslError(
            "a run takes either a protocol, to train an encoder, or a model to use: got "
            + ("none" if model is None else "both")
        )
    if protocol is not None:
        return resolve(protocol, changes)
    if is_baseline(str(model)):
        raise CellsslError(
            f"{model} is trained on none of these cells and stands beside an encoder that is: --baseline {model}. Its "
            f"own map: `cellssl embed CROPS -m {model}`, then `cellssl cluster`"
        )
    if changes:
        raise CellsslError(f"--model is trained already: {', '.join(changes)} cannot be changed")
    checkpoint = load_checkpoint(str(model))
    if "protocol" not in checkpoint:
        raise ModelError(f"{model} was not trained with `cellssl train`: it names no protocol")
    return from_dict(checkpoint["protocol"], source=str(model))


def _open(plate: PlateIndex | str | Path) -> PlateIndex | Crops:
    """Open what the run is given: a plate's index, or crops."""
    if isinstance(plate, PlateIndex):
        return plate
    path = one_path(plate, "a plate's index, the path of its table, or a crop file")
    return Crops.open(path) if path.suffix == ".h5ad" else PlateIndex.load(path)


def _check(
    source: PlateIndex | Crops,
    protocol: Protocol,
    size: int,
    label: str | None,
    dose: str | None,
    segmenter: Segmenter,
) -> tuple[str | None, str | None]:
    """Hold protocol, label and doses against the plate; give the label's and doses' columns."""
    table = source.obs if isinstance(source, Crops) else source.fields
    # A segmenter that does not say whether it finds whole cells too may.
    to_come = ("nucleus", "cell") if getattr(segmenter, "cells", True) else ("nucleus",)
    require_fit(
        protocol,
        channels=source.channels,
        stored_size=source.size if isinstance(source, Crops) else size,
        masks=source.mask_names if isinstance(source, Crops) else to_come,
        columns=list(table.columns),
    )
    chosen = choose_label(table, label)
    if chosen is None:
        _LOG.warning(
            "no label to score against: give one with --label; the map needs none. %s",
            columns_there(table),
        )
    return chosen, choose_dose(table, dose)


def _refuse_used(
    source: PlateIndex | Crops,
    protocol: Protocol,
    model: str | Path | None,
    label: str | None,
    *,
    held_out: bool,
) -> None:
    """Make sure that something is left to score whose labels training does not use, or has not."""
    table = source.obs if isinstance(source, Crops) else source.fields
    if model is None:
        refuse_told([protocol])
    # A trained model has used those of the plates that it was trained on, not of these.
    trained = None if model is None else load_checkpoint(model)
    weak = protocol.weak if trained is None else trained.get("weak", protocol.weak)
    if label is None or not weak:
        return
    labels = used_labels(protocol, table) if trained is None else trained.get("labels_used", {})
    used = {protocol.name: UsedLabels.of(labels)}
    fair = fair_cells(table, label, used)
    if not (held_out and fair.any()):
        refuse_leaks(table, label, used)
