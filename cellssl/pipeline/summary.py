"""The last stage: clusters, look-alikes and the page that shows them."""

from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.cells import Segmenter, ThresholdSegmenter
from cellssl.crops import Crops
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import Similarity, cluster, read_embedding, similarity
from cellssl.pipeline.workspace import Workspace
from cellssl.plates import PlateIndex, read_field
from cellssl.protocols import Protocol
from cellssl.report import Overlay, write_report
from cellssl.studies import fingerprint

__all__ = ["summarise"]

_OVERLAYS = 4  # fields shown with their outlines


def summarise(
    space: Workspace,
    index: PlateIndex | None,
    crops: Path,
    model: Path,
    recipe: Protocol,
    embeddings: dict[str, Path],
    scores: pd.DataFrame,
    label: str | None,
    segmenter: Segmenter | None,
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
            overlays=_outline(index, segmenter or ThresholdSegmenter()),
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


def _outline(
    index: PlateIndex | None, segmenter: Segmenter, label: str | None
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Segment some fields again, of different labels, for the eye: (title, nuclear channel, labels)."""
    if index is None:
        return
    fields = index.fields
    if label in fields:
        fields = fields[~fields[label].duplicated()]
    for row in np.unique(np.linspace(0, len(fields) - 1, _OVERLAYS).astype(int)):
        field = fields.iloc[row]
        pixels = read_field(field, index.channels)
        labels = segmenter.segment(pixels, index.channels)
        nuclei = pixels[index.channels.index(segmenter.find_channel(index.channels))]
        yield f"{field['Metadata_Plate']} {field['Metadata_Well']}", nuclei, labels.nuclei
