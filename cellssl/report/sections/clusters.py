"""What the clusters look like: cells of each, and the labels and plates that they come from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellssl.columns import PLATE, bare_name
from cellssl.crops import Crops
from cellssl.report.figures.gallery import crop_gallery
from cellssl.report.figures.style import as_categories, drawn_names, natural_order
from cellssl.report.galleries import MOST_ROWS, gallery_rows
from cellssl.report.page import Block, Fold, Picture, Section, Table, Text
from cellssl.report.sections.maps import CLUSTERS
from cellssl.words import counted, share

if TYPE_CHECKING:
    from anndata import AnnData


def gallery_section(embedding: "AnnData", crops: Crops | None, label: str | None) -> Section | None:
    """Show cells of each cluster beside the cluster's commonest labels."""
    column, name = next(((key, name) for key, name in CLUSTERS if key in embedding.obs), ("", ""))
    if not column:
        return None
    clusters = as_categories(embedding.obs[column])
    order = natural_order(clusters)
    blocks: list[Block] = []
    if crops is None:
        text = "The crops were not at hand, so the cells themselves are not shown."
        blocks.append(Text(text, tone="aside"))
    else:
        blocks += _gallery(embedding, crops, clusters, order[:MOST_ROWS], label)
    blocks.append(_cluster_table(embedding.obs, clusters, order, label))
    count = counted(len(order), "cluster")
    lead = f"{name} sorted the cells into {count} without knowing any label."
    return Section("clusters", "Clusters", "What the clusters look like", blocks, lead=lead)


def _gallery(
    embedding: "AnnData",
    crops: Crops,
    clusters: "pd.Series[str]",
    order: Sequence[str],
    label: str | None,
) -> list[Block]:
    rows = gallery_rows(
        embedding,
        crops,
        clusters,
        order,
        titles={name: f"cluster {name}" for name in order},
        details=lambda inside: _dominant(embedding.obs, inside, label, 2),
    )
    if not rows:
        text = "None of these cells is in the crop file, so they cannot be shown."
        return [Text(text, tone="warning")]
    caption = (
        "Each row shows cells of one cluster, drawn at random from the half nearest to the "
        "cluster’s middle, all with the same brightness scale"
    )
    if len(crops.channels) > 1:
        caption += "; at the right, the first cell’s channels one by one"
    picture = crop_gallery(rows, crops.channels)
    return [Picture(picture, f"{caption}.", f"Cells of {len(rows)} clusters")]


def _dominant(obs: pd.DataFrame, inside: np.ndarray, label: str | None, most: int) -> list[str]:
    """Name the commonest labels of some cells with their shares."""
    if label is None or label not in obs:
        return []
    counts = drawn_names(obs.loc[inside], label).value_counts().head(most)
    return [f"{name} {share(count, int(inside.sum()))}" for name, count in counts.items()]


def _cluster_table(
    obs: pd.DataFrame, clusters: "pd.Series[str]", order: Sequence[str], label: str | None
) -> Block:
    columns = ["cluster", "cells"]
    columns += [f"commonest {bare_name(label)}"] if label in obs else []
    columns += ["commonest plate"] if PLATE in obs else []
    rows = []
    for name in order:
        inside = (clusters == name).to_numpy()
        row = [name, f"{int(inside.sum()):,}"]
        if label in obs:
            row.append(", ".join(_dominant(obs, inside, label, 3)))
        if PLATE in obs:
            plates = counted(int(obs.loc[inside, PLATE].nunique()), "plate")
            row.append(f"{_dominant(obs, inside, PLATE, 1)[0]} (of {plates})")
        rows.append(row)
    caption = "Shares are of the cluster’s cells."
    return Fold("Clusters as a table", [Table(columns, rows, caption, numeric=["cells"])])
