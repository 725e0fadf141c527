"""The map of all cells, by what is known of them and by what was found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellssl.columns import BATCH, PLATE, bare_name
from cellssl.report.figures.style import control_names, drawn_names
from cellssl.report.figures.umap import MANY_MAPS, ONE_MAP, umap_figure
from cellssl.report.page import Block, Picture, Row, Section, Text
from cellssl.words import counted

if TYPE_CHECKING:
    from anndata import AnnData


CLUSTERS = (("kmeans", "k-means"), ("leiden", "Leiden"))
_HALF = 480  # CSS pixels of a picture that has another beside it


def map_section(embedding: "AnnData", label: str | None) -> Section:
    """Draw the UMAP by label, by cluster, by plate and by batch."""
    if "X_umap" not in embedding.obsm:
        text = "There is no map: the embedding was not clustered."
        return Section("map", "Map", "Map of cells", [Text(text, tone="aside")])
    blocks = [
        *_beside([*_label_map(embedding, label), *_plate_maps(embedding)]),
        *_cluster_maps(embedding),
    ]
    count = counted(embedding.n_obs, "cell")
    lead = (
        f"{count}, each a point: neighbours are alike, while distances between islands mean little."
    )
    return Section("map", "Map", "Map of cells", blocks, lead=lead)


def _beside(blocks: Sequence[Block]) -> list[Block]:
    """Put narrow pictures side by side, beneath all else."""
    narrow = [one for one in blocks if isinstance(one, Picture) and one.width <= _HALF]
    others = [one for one in blocks if one not in narrow]
    return [*others, Row(narrow)] if narrow else others


def _picture(embedding: "AnnData", column: str, title: str, caption: str, **how: Any) -> Picture:
    figure = umap_figure(embedding, column, title=title, **how)
    return Picture(figure, caption, f"UMAP of {embedding.n_obs} cells, {title.lower()}")


def _label_map(embedding: "AnnData", label: str | None) -> list[Block]:
    if label is None or label not in embedding.obs:
        text = "No label is known for these cells: the map is coloured by clusters and plates only."
        return [Text(text, tone="aside")]
    name = bare_name(label)
    names = drawn_names(embedding.obs, label).nunique()
    if names <= ONE_MAP + len(control_names(embedding.obs, label)):
        caption = (
            f"Cells that the encoder finds alike lie close together; colours show their {name}"
        )
    elif names <= MANY_MAPS:
        caption = f"The same map once for each {name}: its cells in blue over all others in grey"
    else:
        caption = f"Colours run through the {names:,} names of {name} in their order, too many to tell one by one"
    caption += (
        f". The encoder was not told the {name}: islands of one colour are phenotypes it found."
    )
    return [_picture(embedding, label, f"By {name}", caption)]


def _cluster_maps(embedding: "AnnData") -> list[Block]:
    caption = "Clusters that {} found; each number stands on one of its cells."
    captions = {column: caption.format(name) for column, name in CLUSTERS}
    if "stability" in embedding.uns:
        captions["leiden"] += _agreement(embedding.uns["stability"])
    pictures = [
        _picture(embedding, column, f"By {name} cluster", captions[column], numbered=True)
        for column, name in CLUSTERS
        if column in embedding.obs
    ]
    return [Row(pictures)] if pictures else []


def _agreement(stability: pd.DataFrame) -> str:
    """Say how far subsamples of the cells agree on the clusters that were chosen."""
    chosen = stability[stability["chosen"]].iloc[0]
    return (
        f" Subsamples of the cells agree with an adjusted Rand index of {chosen['stability']:.2f} (1: entirely, "
        f"0: by chance), at a resolution of {chosen['resolution']:g}."
    )


def _plate_maps(embedding: "AnnData") -> list[Block]:
    """Draw the map by plate and by batch: what should not be seen on it."""
    obs = embedding.obs
    blocks: list[Block] = []
    for column, name, names in ((PLATE, "plate", "plates"), (BATCH, "batch", "batches")):
        values = obs[column] if column in obs else pd.Series(dtype=str)
        same = blocks and len(set(values)) == obs[PLATE].nunique()  # a plate by another name
        if len(set(values)) > 1 and not same:
            caption = (
                f"The {names} should be mixed everywhere: an island of one {name} "
                "shows staining or imaging rather than biology, unless a treatment was only there."
            )
            blocks.append(_picture(embedding, column, f"By {name}", caption, grey=()))
    if not blocks:
        text = "All cells come from one plate, so an effect of the plate cannot be seen."
        blocks.append(Text(text, tone="aside"))
    return blocks
