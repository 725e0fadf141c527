"""The command that finds phenotypes: cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import ANSWERS, app
from cellssl.cli.shell import command, say, shown
from cellssl.columns import MECHANISM, PLATE, bare_name

if TYPE_CHECKING:
    import pandas as pd


@command(app, "cluster", panel=ANSWERS)
def cluster(
    embedding: options.EmbeddingFile,
    out: options.OutFolder,
    resolution: Annotated[
        float | None,
        typer.Option(
            help="Leiden's resolution: the higher, the more clusters. (default: of those at which subsamples "
            "agree best, the finest)"
        ),
    ] = None,
    n_clusters: Annotated[
        int | None,
        typer.Option(
            "--clusters",
            min=1,
            help="Clusters that k-means makes. (default: as many as Leiden finds)",
        ),
    ] = None,
    neighbours: Annotated[
        int,
        typer.Option(
            min=2, help="Neighbours of each cell, from which Leiden and the map are made."
        ),
    ] = 15,
    normalise: options.Normalisation = "none",
    controls: options.Controls = None,
    colour: Annotated[
        list[str] | None,
        typer.Option(help="Columns to colour maps by. (default: leiden, MOA and Plate)"),
    ] = None,
    no_map: Annotated[bool, typer.Option("--no-map", help="No UMAP.")] = False,
    sample: Annotated[
        int,
        typer.Option(
            min=10,
            help="Of more cells than this a sample, evenly over the wells, is clustered and laid out; the others "
            "join those that they are nearest to.",
        ),
    ] = 50_000,
    seed: options.Seed = 0,
) -> None:
    """Cluster cells by Leiden and k-means, at a resolution that is found again, and draw the map."""
    from cellssl.files import make_folder, write_h5ad
    from cellssl.phenotypes import (
        choose_label,
        cluster as find_clusters,
        normalise_embedding,
        read_embedding,
    )
    from cellssl.report import save_figure, umap_figure

    cells = read_embedding(embedding)
    if normalise != "none":
        cells = normalise_embedding(cells, normalise, controls=controls)
    usual = ["leiden", MECHANISM, PLATE]
    made_here = ("leiden", "kmeans")
    columns = [
        name.lower()
        if name.lower() in made_here
        else str(choose_label(cells.obs, name, option="--colour"))
        for name in colour or [one for one in usual if one in made_here or one in cells.obs]
    ]
    folder = make_folder(out)
    made = find_clusters(
        cells,
        n_clusters=n_clusters,
        resolution=resolution,
        neighbours=neighbours,
        umap=not no_map,
        sample=sample,
        seed=seed,
        progress=shown(),
    )
    if "stability" in made.uns:
        _keep_stability(made.uns["stability"], folder)
    write_h5ad(made, folder / "map.h5ad")
    if not no_map:
        for name in columns:
            picture = umap_figure(made, name, numbered=name == "leiden")
            save_figure(picture, folder / f"map_{bare_name(name)}.png")
    say(f"{made.n_obs:,} cells, {made.obs['leiden'].nunique()} clusters of Leiden")
    say(f"written to {folder}")


def _keep_stability(stability: "pd.DataFrame", folder: Path) -> None:
    """Write how well subsamples agree at each resolution, and say which was taken."""
    from cellssl.files import write_csv
    from cellssl.report import save_figure, stability_figure

    write_csv(stability, folder / "stability.csv")
    save_figure(stability_figure(stability), folder / "stability.png")
    chosen = stability[stability["chosen"]].iloc[0]
    say(
        f"resolution {chosen['resolution']:g}: the finest within 0.05 of the most stable one "
        f"(adjusted Rand index of subsamples {chosen['stability']:.2f})"
    )
