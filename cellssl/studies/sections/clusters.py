"""What the clusters hold, and what they follow."""

from itertools import starmap

import numpy as np

from cellssl.files import safe_name
from cellssl.report import crop_gallery, explanation_figure
from cellssl.report.page import Picture, Section, Table, Text
from cellssl.studies.contents import Contents
from cellssl.words import with_interval


def clusters_section(contents: Contents | None) -> Section | None:
    """Show what the clusters hold, and how much of each property they follow; None without galleries."""
    if contents is None:
        return None
    blocks: list = []
    if contents.missing:
        blocks.append(Text(f"Not there: {', '.join(contents.missing)}.", "warning"))
    if len(contents.explained):
        caption = (
            "What k-means clusters follow. Left: AMI with the label and with each property cut into "
            "five equal classes; right: share of the property's variance that lies between clusters, "
            "less chance. Means over training seeds."
        )
        figure = explanation_figure(contents.explained)
        blocks.append(Picture(figure, caption, "What the clusters follow", name="clusters"))
        blocks.append(_agreement(contents))
    for name, rows in contents.rows.items():
        caption = (
            f"{name}: each row shows members of one cluster of the first seed, drawn at random; its "
            "commonest label, and the two properties in which it stands out most, in standard "
            "deviations from the mean of all."
        )
        figure = crop_gallery(rows, contents.channels)
        alt = f"Members of the clusters of {name}"
        blocks.append(Picture(figure, caption, alt, name=f"gallery-{safe_name(name)}"))
    return Section("clusters", "Clusters", "What the clusters hold", blocks)


def _agreement(contents: Contents) -> Table:
    """Write the AMI with each property, and how it varies over seeds."""
    explained = contents.explained.copy()
    explained.loc[explained["replicates"] < 2, ["ami_low", "ami_high"]] = np.nan
    rows = [
        [str(name), *starmap(with_interval, table[["ami", "ami_low", "ami_high"]].to_numpy())]
        for name, table in explained.groupby("embedding", sort=False)
    ]
    heads = ["", *dict.fromkeys(explained["property"])]
    caption = "AMI of clusters; in brackets the lowest and the highest of the training seeds."
    return Table(heads, rows, caption=caption, numeric=heads[1:])
