"""The last stage: clusters, look-alikes and the page that shows them."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from cellssl.cells import Segmenter, find_nucleus_channel
from cellssl.crops import Crops
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import Similarity, cluster, read_embedding, similarity
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import FieldError, PlateIndex, read_field
from cellssl.protocols import Protocol
from cellssl.report import Overlay, write_report
from cellssl.studies import fingerprint

__all__ = ["summarise"]

_OVERLAYS = 4  # fields shown with their outlines
_log = logging.getLogger(__name__)


def summarise(
    space: Workspace,
    index: PlateIndex | None,
    crops: Path,
    model: Path,
    recipe: Protocol,
    embeddings: dict[str, Path],
    scores: pd.DataFrame,
    label: str | None,
    segmenter: Segmenter,
) -> Path:
    """Cluster the cells, ask which treatments look alike, and write ``report.html``."""
    report = space / "report.html"

    def work() -> None:
        clustered = cluster(
            read_embedding(embeddings["cellssl"]), n_clusters=_count_labels(crops, label)
        )
        clustered.write_h5ad(space / "map.h5ad")
        fields = crops.parent / "fields.csv"
        metrics = model / "metrics.csv"
        write_report(
            report,
            title=space.folder.resolve().name,
            embedding=clustered,
            similarity=_compare_treatments(clustered, space / "similarity"),
            scores=scores,
            crops=Crops.open(crops),
            fields=pd.read_csv(fields) if index is not None and fields.exists() else None,
            index=index,
            protocol=recipe,
            metrics=metrics if metrics.exists() else None,
            overlays=[] if index is None else _outline(index, segmenter, label),
            label=label,
        )

    inputs = {
        "embedding": fingerprint(embeddings["cellssl"]),
        "scores": fingerprint(space / "scores" / "scores.csv"),
        "label": label,
    }
    space.finish("report", inputs, report, work)
    return report


def _count_labels(crops: Path, label: str | None) -> int | None:
    """Count the classes: k-means makes as many clusters."""
    if label is None:
        return None
    values = Crops.open(crops).obs[label].replace("", pd.NA)
    return int(values.nunique())


def _compare_treatments(cells: AnnData, folder: Path) -> Similarity | None:
    """Ask which treatments look alike, and save the answer; None where nothing names a treatment."""
    try:
        alike = similarity(cells)
    except EmbeddingError as error:
        _log.warning("treatments are not compared: %s", error)
        return None
    alike.save(folder)
    return alike


def _outline(index: PlateIndex, segmenter: Segmenter, label: str | None) -> list[Overlay]:
    """Segment some fields again, of different labels, for the eye to judge."""
    fields = index.fields
    if label in fields:
        fields = fields[~fields[label].duplicated()]
    wanted = getattr(segmenter, "nucleus_channel", None)
    nucleus = find_nucleus_channel(index.channels, wanted)
    overlays = []
    for row in np.unique(np.linspace(0, len(fields) - 1, _OVERLAYS).astype(int)):
        field = fields.iloc[row]
        try:
            pixels = read_field(field, index.channels)
        except FieldError as error:
            _log.warning("no outlines of this field: %s", error)
            continue
        title = " ".join(str(field[name]) for name in ("Metadata_Plate", "Metadata_Well"))
        found = segmenter.segment(pixels, index.channels)
        overlays.append(Overlay(title, pixels[nucleus], found.nuclei))
    return overlays
