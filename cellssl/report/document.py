"""The report: one file that answers which treatments look alike, and lets a reader check it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cellssl.columns import FIELD, PLATE, find_column
from cellssl.crops import Crops
from cellssl.errors import CellsslError
from cellssl.phenotypes.columns import well_names
from cellssl.plates import PlateIndex
from cellssl.report.figures.style import label_colours
from cellssl.report.page import Picture, Section, Text, write_page
from cellssl.report.sections.answer import answer_section
from cellssl.report.sections.clusters import gallery_section
from cellssl.report.sections.dropped import dropped_section
from cellssl.report.sections.images import images_section
from cellssl.report.sections.making import provenance_section, training_section
from cellssl.report.sections.maps import map_section
from cellssl.report.sections.scores import scores_section
from cellssl.words import counted

if TYPE_CHECKING:
    from anndata import AnnData

    from cellssl.phenotypes import Similarity
    from cellssl.protocols import Protocol


_LOG = logging.getLogger(__name__)
# Columns without which there is nothing to tell, and where they come from.
_SCORES = (("embedding", "label", "split", "metric", "value"), "scores.csv of an evaluation")
_FIELDS = ((*FIELD, "found", "kept", "Problem"), "fields.csv of cropping")


def write_report(
    out: str | Path,
    *,
    title: str,
    embedding: "AnnData",
    similarity: "Similarity | None" = None,
    scores: pd.DataFrame | None = None,
    crops: Crops | None = None,
    fields: pd.DataFrame | None = None,
    remarks: Sequence[str] = (),
    index: PlateIndex | None = None,
    protocol: "Protocol | None" = None,
    metrics: str | Path | None = None,
    overlays: Sequence[tuple[str, np.ndarray, np.ndarray]] = (),
    illumination: Mapping[str, np.ndarray] | None = None,
    figures: Sequence[tuple[str, Figure, str]] = (),
    notes: Sequence[str] = (),
    label: str | None = None,
) -> Path:
    """Write one self-contained HTML page (no script, nothing fetched, below 10 MB).

    Every part but the embedding may be missing: its section is left out, or says what is not known.

    Parameters
    ----------
    out
        The file to write; an existing one is replaced when the new one is whole.
    title
        Headline of the page.
    embedding
        Cells with ``obsm["X_umap"]`` and ``obs["kmeans"]`` and/or ``obs["leiden"]``
        (from :func:`cellssl.phenotypes.cluster`).
    similarity
        Treatments, their matrix and neighbours (from :func:`cellssl.phenotypes.similarity`).
    scores
        Tidy table of scores, baselines included (from :func:`cellssl.phenotypes.evaluate`).
    crops
        The crop file, matched to the embedding by the cells' names.
    fields
        One row per field: found, kept, ``dropped_<reason>``, Problem (``fields.csv`` of cropping).
    remarks
        What is unusual about the images (``remarks`` of what `cellssl.crop` gives back).
    index
        The plate's index: its problems, and paths for the montage of fields.
    protocol
        What the encoder was trained with.
    metrics
        ``metrics.csv`` of the training.
    overlays
        (title, image (Y, X) or (C, Y, X), labels (Y, X)) of some fields: the segmentation's check.
    illumination
        Plate → (C, h, w): what was divided out of its fields, mean 1.
    figures
        Further (title, figure, caption), e.g. from :func:`dose_figure`; shown after the headline.
    notes
        Sentences for the last section, e.g. how many cells the scores were computed on.
    label
        The column of `embedding.obs` that was scored against, with or without ``Metadata_``.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    CellsslError
        When the file cannot be written.
    """
    column = label and (find_column(embedding.obs, label) or label)
    treated = similarity.label if similarity else None
    parts: dict[str, Callable[[], Section | None]] = {
        "Look-alikes": lambda: _warned(
            answer_section(similarity, embedding.obs, label_colours(embedding.obs, treated)),
            embedding,
            remarks,
        ),
        "Further": lambda: _more(figures),
        "Map": lambda: map_section(embedding, column),
        "Clusters": lambda: gallery_section(embedding, crops, column),
        "Scores": lambda: scores_section(_with_columns(scores, *_SCORES), column),
        "Dropped": lambda: dropped_section(_with_columns(fields, *_FIELDS), index),
        "Images": lambda: images_section(
            index, overlays, illumination or {}, column, remarks=remarks
        ),
        "Training": lambda: training_section(protocol, metrics),
        "Provenance": lambda: provenance_section(embedding, crops, notes),
    }
    sections = [_guarded(name, build) for name, build in parts.items()]
    return write_page(out, title=title, subtitle=_subtitle(embedding), sections=sections)


def _guarded(name: str, build: Callable[[], Section | None]) -> Section | None:
    """Keep one part's unusable input from costing the reader all others: the page says so."""
    try:
        return build()
    except CellsslError as error:
        _LOG.warning("the report's part %r could not be made: %s", name, error)
        text = Text(f"This part could not be made: {error}", tone="warning")
        return Section(name.lower(), name, name, [text])


def _with_columns(
    table: pd.DataFrame | None, columns: Sequence[str], source: str
) -> pd.DataFrame | None:
    """Make sure that a table, where it has rows, has all the columns that its part tells of."""
    lacking = [] if table is None or table.empty else [n for n in columns if n not in table]
    if lacking:
        raise CellsslError(f"the table lacks {', '.join(lacking)}: give it as {source} has it")
    return table


def _warned(section: Section, embedding: "AnnData", remarks: Sequence[str]) -> Section:
    """Put what was said of these cells and their encoder before anything that rests on it."""
    said = [str(text) for text in embedding.uns.get("cellssl", {}).get("warnings", ())]
    if remarks:
        said.append(
            f"Of these images there is something to know first: see Images ({counted(len(remarks), 'remark')})."
        )
    warnings = [Text(text, tone="warning") for text in said]
    return replace(section, blocks=[*warnings, *section.blocks])


def _more(figures: Sequence[tuple[str, Figure, str]]) -> Section | None:
    """Show figures that only the caller knows how to draw."""
    if not figures:
        return None
    blocks = [Picture(figure, caption or title, title) for title, figure, caption in figures]
    title = figures[0][0] if len(figures) == 1 else "Further answers"
    return Section("further", title, title, blocks)


def _subtitle(embedding: "AnnData") -> str:
    """Say in a line what was looked at."""
    obs, own = embedding.obs, embedding.uns.get("cellssl", {})
    parts = [counted(embedding.n_obs, "cell")]
    if (wells := well_names(obs)) is not None:
        parts.append(counted(len(set(wells)), "well"))
    if PLATE in obs:
        parts.append(counted(int(obs[PLATE].nunique()), "plate"))
    channels = own.get("channels")
    if channels is not None and len(channels):
        parts.append("channels " + ", ".join(map(str, channels)))
    name = own.get("name") or own.get("model")
    return " · ".join([*parts, f"encoder {Path(str(name)).name}"] if name else parts)
