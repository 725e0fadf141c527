"""The last stage: clusters, look-alikes and the page that shows them."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.figure import Figure

import cellssl
from cellssl.cells import (
    CropReport,
    Job,
    Segmenter,
    Shading,
    find_nucleus_channel,
    segment_field,
)
from cellssl.cells.folder import CropFolder
from cellssl.columns import COMPOUND, CONTROL, PLATE, WELL, agent_column
from cellssl.crops import Crops
from cellssl.errors import EmbeddingError, PlateError
from cellssl.files import make_folder, write_csv, write_h5ad
from cellssl.phenotypes import (
    Similarity,
    cluster,
    correlate_doses,
    dose_positions,
    dose_title,
    read_embedding,
    similarity,
)
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import FieldError, PlateIndex
from cellssl.protocols import Protocol
from cellssl.report import Overlay, explore, write_report
from cellssl.report.doses import position_curve
from cellssl.report.figures.style import label_colours
from cellssl.studies import fingerprint

_OVERLAYS = 4  # fields shown with their outlines
_EXPLORED = 100_000  # cells on the explorer's page: more are slow to move
_LOG = logging.getLogger(__name__)


def summarise(
    space: Workspace,
    index: PlateIndex | None,
    crops: Crops,
    model: Path,
    protocol: Protocol,
    embedding: Path,
    scores: pd.DataFrame,
    segmenter: Segmenter,
    *,
    binning: int,
    label: str | None,
    dose: str | None,
) -> Path:
    """Cluster the cells, ask which treatments look alike, and write ``report.html`` and ``explorer.html``."""
    report = space / "report.html"
    folder = CropFolder(crops.path.parent)
    outcome = None if index is None else CropReport.read(folder)
    metrics = model / "metrics.csv"
    channels = () if index is None else index.channels
    job = Job(segmenter, channels, crops.size, masks=False, binning=binning)
    lit = outcome is not None and folder.illumination.exists()
    maps = Shading.read(folder.illumination).maps if lit else {}

    def work() -> None:
        cells = cluster(
            read_embedding(embedding),
            n_clusters=_count_labels(crops, label),
            progress=space.progress,
        )
        write_h5ad(cells, space / "map.h5ad")
        page, title = space / "explorer.html", space.folder.resolve().name
        explore(
            cells,
            crops,
            out=page,
            colour=label,
            title=title,
            sample=_EXPLORED,
            progress=space.progress,
        )
        _LOG.info("report: drawing its figures")
        write_report(
            report,
            title=title,
            embedding=cells,
            similarity=_compare_treatments(space, cells, dose),
            scores=scores if len(scores) else None,
            crops=crops,
            fields=None if outcome is None else outcome.fields,
            remarks=() if outcome is None else outcome.remarks,
            index=index,
            protocol=protocol,
            metrics=metrics if metrics.exists() else None,
            overlays=[] if index is None else _outline(index, job, maps, label),
            illumination=maps,
            figures=_draw_doses(cells, dose, space / "similarity"),
            notes=[
                f"{page.name}, beside this page, shows the cells themselves, one by one.",
                *_encoder_note(space, model),
            ],
            label=label,
        )

    inputs = {
        "embedding": fingerprint(embedding),
        "scores": scores.to_csv(),
        "crops": fingerprint(crops.path),
        "fields": fingerprint(folder.fields),
        "illumination": fingerprint(folder.illumination),
        "metrics": fingerprint(metrics),
        "problems": "" if index is None else index.problems.to_csv(),
        "protocol": protocol.to_dict(),
        "question": {"label": label, "dose": dose},
        "version": cellssl.__version__,
    }
    space.finish("report", inputs, report, work)
    return report


def _encoder_note(space: Workspace, model: Path) -> list[str]:
    """Say where the encoder is from when it was not trained on these cells."""
    if model.resolve() == (space / "model").resolve():
        return []
    return [
        f"The encoder was not trained in this run: it is {model}, and its own training is shown."
    ]


def _count_labels(crops: Crops, label: str | None) -> int | None:
    """Count the classes: k-means makes as many clusters."""
    return None if label is None else len(set(crops.obs[label].dropna().astype(str)) - {""})


def _compare_treatments(space: Workspace, cells: AnnData, dose: str | None) -> Similarity | None:
    """Ask which treatments (or doses, where nothing names a compound) look alike; save the answer."""
    named = agent_column(cells.obs) is not None
    try:
        alike = similarity(
            cells, by=None if named or dose is None else dose, progress=space.progress
        )
    except EmbeddingError as error:
        _LOG.warning("treatments are not compared: %s", error)
        return None
    alike.save(space / "similarity")
    return alike


def _draw_doses(cells: AnnData, dose: str | None, folder: Path) -> list[tuple[str, Figure, str]]:
    """Draw how far wells are from the negative control against their dose, where there are both."""
    if dose is None:
        return []
    if CONTROL not in cells.obs:
        _LOG.info("no figure of doses: it needs negative controls (--control-column)")
        return []
    try:
        positions = dose_positions(cells, dose)
    except EmbeddingError as error:
        _LOG.info("no figure of doses: %s", error)
        return []
    make_folder(folder)
    write_csv(positions, folder / "dose_positions.csv")
    write_csv(correlate_doses(positions), folder / "dose_spearman.csv")
    figure = position_curve(
        positions,
        dose=dose_title(cells.obs, dose),
        colours=label_colours(cells.obs, COMPOUND),
    )
    between = (
        "its profile is projected on the line from the negative (0) to the positive controls (1). The controls "
        "themselves are not drawn: the line is fitted to them"
    )
    away = (
        "the higher, the more its cells differ from untreated ones, in whatever way; 1 is what one well of "
        "untreated cells shows by chance"
    )
    told = between if (positions["control"] == "positive").any() else away
    caption = f"Each point is a well: {told}. ρ is Spearman's rank correlation with the dose."
    return [("Response to dose", figure, caption)]


def _outline(
    index: PlateIndex, job: Job, maps: Mapping[str, np.ndarray], label: str | None
) -> list[Overlay]:
    """Segment some fields again, of different labels, for the eye to judge."""
    fields = index.fields
    if label in fields:
        fields = fields[~fields[label].duplicated()]
    wanted = getattr(job.segmenter, "nucleus_channel", None)
    try:
        nucleus = find_nucleus_channel(index.channels, wanted)
    except PlateError:  # labels lie beside images of any channels
        nucleus = 0
    overlays = []
    for row in np.unique(np.linspace(0, len(fields) - 1, _OVERLAYS).astype(int)):
        field = fields.iloc[row]
        title = " ".join(str(field[name]) for name in (PLATE, WELL))
        try:
            task = job.task(field.to_dict(), Path(), maps.get(str(field[PLATE])))
            _, pixels, found = segment_field(task)
        except FieldError as error:
            _LOG.warning("no outlines of this field: %s", error)
            continue
        overlays.append(Overlay(title, pixels[nucleus], found.nuclei))
    return overlays
