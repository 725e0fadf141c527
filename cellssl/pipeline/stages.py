"""The stages between a plate and its report, each kept when its result for the same inputs is there."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from cellssl.cells import CropReport
from cellssl.crops import Crops
from cellssl.embedding import embed
from cellssl.encoders import weights_at_hand
from cellssl.errors import ModelError
from cellssl.files import make_folder
from cellssl.phenotypes import measure_embeddings, read_embedding, read_scores
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import PlateIndex
from cellssl.sampling import sample_wells
from cellssl.studies import Baseline, fingerprint, orientation_inputs
from cellssl.training import checkpoint_file

_LOG = logging.getLogger(__name__)


def crop_cells(space: Workspace, plate: PlateIndex, cut: Callable[..., CropReport]) -> Crops:
    """Cut the plate's cells out."""
    plate.save(space / "plate.csv")
    report = cut(plate, space / "crops", progress=space.progress)
    _LOG.info("%s", report.summary())
    report.require_cells()
    return Crops.open(report.crops)


def embed_cells(
    space: Workspace,
    crops: Path,
    model: Path,
    baselines: Sequence[Baseline],
    *,
    orientations: int,
    download: bool,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Embed all cells with the encoder, a sample with each baseline; say which baselines cannot be had."""
    folder = make_folder(space / "embeddings")
    own = folder / "cellssl.h5ad"
    inputs = {
        "crops": fingerprint(crops),
        "checkpoint": fingerprint(checkpoint_file(model)),
        **orientation_inputs(orientations),
    }
    work = partial(
        embed,
        crops,
        model,
        own,
        name="cellssl",
        orientations=orientations,
        device=space.device,
        progress=space.progress,
    )
    space.finish("embed cellssl", inputs, own, work)
    embeddings, absent = {"cellssl": own}, {}
    for baseline in baselines:
        if not download and _must_be_downloaded(baseline):
            absent[baseline.model] = (
                "its weights are not at hand: `cellssl run` and `cellssl compare` fetch them, or take them from a file "
                f"with --baseline {baseline.model}=FILE"
            )
            _LOG.info("no %s: %s", baseline.model, absent[baseline.model])
            continue
        path = folder / baseline.file
        work = partial(baseline.embed, crops, path, device=space.device, progress=space.progress)
        try:
            space.finish(f"embed {baseline.model}", baseline.inputs(crops), path, work)
            embeddings[baseline.model] = path
        except ModelError as error:
            _LOG.warning("%s", error)
            absent[baseline.model] = str(error)
    return embeddings, absent


def _must_be_downloaded(baseline: Baseline) -> bool:
    return (
        baseline.pretrained and baseline.weights is None and weights_at_hand(baseline.model) is None
    )


def score_embeddings(
    space: Workspace,
    embeddings: dict[str, Path],
    absent: dict[str, str],
    label: str | None,
    sample: int,
    *,
    held_out: bool,
) -> pd.DataFrame:
    """Score all embeddings on the same sample of cells."""
    if label is None:
        return pd.DataFrame()
    table = space / "scores" / "scores.csv"

    def work() -> None:
        own = read_embedding(embeddings["cellssl"])
        own = own[sample_wells(own.obs, sample)].copy()
        others = [path for name, path in embeddings.items() if name != "cellssl"]
        measure_embeddings(
            [own, *others],
            label=label,
            held_out=held_out,
            absent=absent,
            progress=space.progress,
        ).save(table.parent)

    inputs = {
        "embeddings": [fingerprint(path) for path in embeddings.values()],
        "absent": absent,
        "label": label,
        "sample": sample,
        "held_out": held_out,
    }
    space.finish("evaluate", inputs, table, work)
    return read_scores(table)
