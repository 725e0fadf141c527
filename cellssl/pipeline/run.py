"""The main job: from a plate to a report, each stage skipped when its result for the same inputs is there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.cells import Segmenter, ThresholdSegmenter, crop
from cellssl.crops import Crops
from cellssl.embedding import embed
from cellssl.encoders import weights_at_hand
from cellssl.errors import CellsslError, ModelError, PlateError
from cellssl.files import make_folder
from cellssl.phenotypes import choose_label, measure_embeddings, read_scores
from cellssl.pipeline.summary import Question, summarise
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import PlateIndex
from cellssl.protocols import Protocol, from_dict, resolve
from cellssl.studies import BASELINES, embed_baseline, fingerprint, train
from cellssl.training import checkpoint_file, load_checkpoint

__all__ = ["RunResult", "run"]

_log = logging.getLogger(__name__)


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


def run(
    plate: PlateIndex | str | Path,
    out: str | Path,
    *,
    protocol: Protocol | str | Path | None = None,
    model: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
    segmenter: Segmenter | None = None,
    crop_size: int | None = None,
    label: str | None = None,
    dose: str | None = None,
    baselines: Mapping[str, Path | None] | None = None,
    sample: int = 5000,
    workers: int = 1,
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
        The obs column to score against; MOA, Control or Compound when left out, the first with two values.
    dose
        The obs column of doses; one called dose or concentration when left out. With negative and positive controls,
        the report shows where wells lie between them against their dose.
    baselines
        Model names mapped to weight files (None: by name); ResNet-101, random and simple features when left out.
    sample
        Cells that baselines embed and that scores are computed on, drawn evenly over the wells.
    workers
        Processes that segment fields.
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
    recipe = _choose_recipe(protocol, model, changes)
    space = Workspace.make(out, device=device, progress=progress)
    if redo is not None:
        space.forget_from(redo)
    segmenter = segmenter or ThresholdSegmenter()
    index, crops = _crop(space, plate, recipe, segmenter, crop_size, workers)
    if model is None:
        _log.info("train: %s, %d epochs", recipe.name, recipe.training.epochs)
        model = train(recipe, crops, space / "model", device=device, progress=progress)
    opened = Crops.open(crops)
    label = choose_label(opened.obs, label)
    baselines = BASELINES if baselines is None else baselines
    embeddings, absent = _embed(space, crops, Path(model), recipe, baselines, sample, download)
    scores = _evaluate(space, embeddings, absent, label)
    report = summarise(
        space,
        index,
        opened,
        Path(model),
        recipe,
        embeddings["cellssl"],
        scores,
        Question(label, dose),
        segmenter,
    )
    return RunResult(report, crops, Path(model), embeddings, scores)


def _choose_recipe(
    protocol: Protocol | str | Path | None,
    model: str | Path | None,
    changes: Mapping[str, Any] | None,
) -> Protocol:
    """Take the protocol that is given, or the one that the given model was trained with."""
    if protocol is not None and model is not None:
        raise CellsslError(
            "give --protocol (to train an encoder) or --model (to use one), not both"
        )
    if model is not None:
        return from_dict(load_checkpoint(model)["protocol"], source=str(model))
    if protocol is None:
        raise CellsslError(
            "give --protocol NAME (to train an encoder) or --model RUN (to use one); "
            "`cellssl protocols list` shows the protocols"
        )
    return resolve(protocol, changes)


def _crop(
    space: Workspace,
    plate: PlateIndex | str | Path,
    recipe: Protocol,
    segmenter: Segmenter,
    size: int | None,
    workers: int,
) -> tuple[PlateIndex | None, Path]:
    """Cut the plate's cells out, or take the crops that are given."""
    if not isinstance(plate, PlateIndex):
        if Path(plate).suffix in (".h5ad", ".zarr"):
            return None, Path(plate)
        plate = PlateIndex.load(plate)
    plate.save(space / "plate.csv")
    report = crop(
        plate,
        space / "crops",
        segmenter=segmenter,
        size=size or _stored_size(recipe.crop.size),
        workers=workers,
        progress=space.progress,
    )
    _log.info("%s", report.summary())
    if report.kept == 0:
        raise PlateError(
            f"no cell was kept on this plate; {space / 'crops' / 'fields.csv'} says why, field by field"
        )
    return plate, report.crops


def _stored_size(view: int) -> int:
    """Crops are stored half as large again as the view, so that rotation brings in real pixels."""
    return 2 * round(view * 1.5 / 2)


def _embed(
    space: Workspace,
    crops: Path,
    model: Path,
    recipe: Protocol,
    baselines: Mapping[str, Path | None],
    sample: int,
    download: bool,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Embed all cells with the encoder, a sample with each baseline; say which baselines cannot be had."""
    folder = make_folder(space / "embeddings")
    own = folder / "cellssl.h5ad"

    def embed_all() -> None:
        embed(crops, model, own, name="cellssl", device=space.device, progress=space.progress)

    cells = fingerprint(crops)
    inputs: dict[str, Any] = {"crops": cells, "checkpoint": fingerprint(checkpoint_file(model))}
    space.finish("embed cellssl", inputs, own, embed_all)
    embeddings, absent = {"cellssl": own}, {}
    for name, weights in baselines.items():
        if weights is None and not download and _must_be_downloaded(name):
            absent[name] = f"its weights are not at hand: give --baseline {name}=FILE"
            continue
        inputs = {
            "crops": cells,
            "weights": weights and fingerprint(weights),
            "crop": recipe.crop.model_dump(mode="json"),
            "channels": recipe.channels,
            "sample": sample,
        }
        path = folder / f"{name}.h5ad".replace(":", "-")
        work = partial(
            embed_baseline,
            crops,
            name,
            path,
            like=recipe,
            weights=weights,
            sample=sample,
            device=space.device,
            progress=space.progress,
        )
        try:
            space.finish(f"embed {name}", inputs, path, work)
            embeddings[name] = path
        except ModelError as error:
            _log.warning("%s", error)
            absent[name] = str(error)
    return embeddings, absent


def _must_be_downloaded(name: str) -> bool:
    return name.startswith("resnet") and weights_at_hand(name) is None


def _evaluate(
    space: Workspace, embeddings: dict[str, Path], absent: dict[str, str], label: str | None
) -> pd.DataFrame:
    """Score all embeddings on the cells that all of them have."""
    if label is None:
        return pd.DataFrame()
    table = space / "scores" / "scores.csv"
    space.finish(
        "evaluate",
        {
            "embeddings": [fingerprint(path) for path in embeddings.values()],
            "absent": absent,
            "label": label,
        },
        table,
        lambda: measure_embeddings(
            list(embeddings.values()), label=label, absent=absent, progress=space.progress
        ).save(table.parent),
    )
    return read_scores(table)
