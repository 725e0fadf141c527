"""Commands on one embedding: profiles, similarity."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import ANSWERS, app
from cellssl.cli.shell import command, say, show_table, shown
from cellssl.columns import CONTROL
from cellssl.words import counted, listed, with_interval

if TYPE_CHECKING:
    import pandas as pd

    from cellssl.phenotypes import Similarity

By = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that names the treatment; repeated, they do together. "
        "(default: Metadata_Compound and Metadata_Concentration, else Metadata_Gene and Metadata_Guide)"
    ),
]
ControlColumn = Annotated[
    str,
    typer.Option(
        help="The column that says 'negative' (or 'negcon') for the negative control, in any case."
    ),
]
SHOWN = 15  # rows of a table on the screen; files hold all
MOST_LABELS = 40  # mechanisms are fewer; a genetic screen has thousands of genes


@command(app, "profiles", panel=ANSWERS)
def profiles(
    embedding: options.EmbeddingFile,
    out: Annotated[Path, options.out_option("A .parquet, .csv, .csv.gz or .h5ad file.")],
    level: Annotated[str, typer.Option(help="One profile per field, well or treatment.")] = "well",
    normalise: options.Normalisation = "none",
    controls: options.Controls = None,
    aggregate: options.Aggregation = "median",
    through_fields: Annotated[
        bool,
        typer.Option(
            "--through-fields", help="Wells are made of fields, each counting alike, not of cells."
        ),
    ] = False,
    by: By = None,
    control_column: ControlColumn = CONTROL,
) -> None:
    """Aggregate cells to fields, wells or treatments, with counts; normalised before, where asked."""
    from cellssl.phenotypes import aggregate_profiles, normalise_embedding, read_embedding

    cells = read_embedding(embedding)
    if normalise != "none":
        cells = normalise_embedding(cells, normalise, controls=controls)
    made = aggregate_profiles(
        cells,
        level,
        out=out,
        aggregate=aggregate,
        through_fields=through_fields,
        by=by,
        control=control_column,
    )
    counts = made.obs["Metadata_Cells"]
    say(
        f"{made.n_obs:,} {level}s of {counts.sum():,} cells ({counts.min():,} to {counts.max():,} each), "
        f"{made.n_vars} features"
    )
    say(f"written to {out}")


@command(app, "similarity", panel=ANSWERS)
def similarity(
    embedding: options.EmbeddingFile,
    out: options.OutFolder,
    treatment: Annotated[
        list[str] | None,
        typer.Option(help="Show the neighbours of this one, as 'taxol 0.3'; may be repeated."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="A column with the expected class. (default: Metadata_MOA; of guides Metadata_Gene)"
        ),
    ] = None,
    by: By = None,
    control_column: ControlColumn = CONTROL,
    normalise: Annotated[
        str,
        typer.Option(
            help="Wells are centred on: controls or all wells of their plate (plate), or none; "
            "auto: controls where there are any."
        ),
    ] = "auto",
    aggregate: options.Aggregation = "median",
    nearest: Annotated[int, typer.Option(min=1, help="Neighbours listed per treatment.")] = 10,
    draws: Annotated[
        int, typer.Option(min=0, help="Draws of wells for the neighbours' intervals.")
    ] = 400,
    copairs: Annotated[
        bool, typer.Option("--copairs", help="Add mAP and p-values of the package copairs.")
    ] = False,
    seed: options.Seed = 0,
) -> None:
    """Ask which treatments look alike: replicates first, then activity, neighbours and classes."""
    from cellssl.errors import EmbeddingError, nearest as nearest_word
    from cellssl.files import check_folder
    from cellssl.phenotypes import read_embedding, similarity as compare

    check_folder(out)
    cells = read_embedding(embedding)
    found = compare(
        cells,
        by=by,
        control=control_column,
        label=label or "auto",
        normalise=normalise,
        aggregate=aggregate,
        nearest=nearest,
        draws=draws,
        copairs=copairs,
        seed=seed,
        progress=shown(),
    )
    unknown = [name for name in treatment or [] if name not in found.treatments.index]
    if unknown:
        there = found.treatments.index
        meant = (
            nearest_word(unknown[0], there, listed=True)
            or f"; there are {listed(list(there), most=8)}"
        )
        raise EmbeddingError(f"no treatment is called {unknown[0]!r}{meant}")
    folder = found.save(out)
    _save_figures(cells.obs, found, folder)
    _show_replicates(found.replicates)
    _show_activity(found.treated)
    _show_neighbours(found, treatment)
    _show_consistency(found.consistency)
    say(f"written to {folder}")


def _save_figures(obs: "pd.DataFrame", found: "Similarity", folder: Path) -> None:
    """Draw replicates, similarities and, where there are controls, activity."""
    from cellssl.report import activity_figure, replicate_figure, save_figure, similarity_heatmap
    from cellssl.report.figures.style import label_colours

    save_figure(replicate_figure(found), folder / "replicates.png")
    heat = similarity_heatmap(found, colours=label_colours(obs, found.label))
    save_figure(heat, folder / "similarity.png")
    if found.treated["activity"].notna().any():
        save_figure(activity_figure(found), folder / "activity.png")


def _show_replicates(table: "pd.DataFrame") -> None:
    """Say first how many treatments replicate: what does not cannot be compared."""
    from cellssl.scores.replicates import FEWEST_TREATMENTS

    known = table["replicates"].notna()
    single, one_plate = (table["wells"] < 2).sum(), (~table["across_plates"])[known].sum()
    if known.any():
        say(
            f"replicates: of {known.sum()} treatments with several wells, {table['replicates'].sum()} are more "
            "alike than 95 % of random wells"
            + (f"; {one_plate} lie on one plate each" if one_plate else "")
        )
    elif single == len(table):
        say("replicates: no treatment has several wells")
    else:
        say(
            f"replicates: {counted(len(table) - single, 'treatment has', 'treatments have')} several wells, and "
            f"nothing says whether these are alike: random wells, to hold them against, are drawn from "
            f"{FEWEST_TREATMENTS} treatments or more (of one plate, for a treatment that lies on one)"
        )
    if single:
        say(f"{single} treatments have one well only: nothing tells their profile from that well")


def _show_activity(table: "pd.DataFrame") -> None:
    """Say how many treatments are told from the negative control, by lengths and by ranks."""
    from cellssl.phenotypes.treatments.activity import FALSE_CALLS, call_active, call_active_by_rank

    rate, told = f"false discovery rate {FALSE_CALLS:.0%}", call_active(table)
    if table["p_value"].notna().any():
        say(
            f"activity: {told.sum()} of {len(told)} treatments are farther from the negative control than "
            f"its own wells ({rate})"
        )
    elif table["activity"].notna().any():
        say("activity: control wells are too few to say how far a treatment without effect may lie")
    ranked, by_rank = table["map_q_value"].notna().sum(), call_active_by_rank(table)
    if not ranked:
        say("mAP: no treatment of several wells lies on a plate with negative controls")
    if len(by_rank):
        say(
            f"mAP: {by_rank.sum()} of {len(by_rank)} treatments' wells find each other before control wells "
            f"({rate})"
        )
    if ranked > len(by_rank):
        say(
            f"mAP: wells of {counted(ranked - len(by_rank), 'treatment')} all come before the control wells, which "
            "are too few to tell that from chance"
        )


def _show_neighbours(found: "Similarity", wanted: list[str] | None) -> None:
    """Print the neighbours of some treatments, or the nearest one of the first."""
    table = found.neighbours
    if wanted:
        table, title = table[table["treatment"].isin(wanted)], "Neighbours"
    else:
        table, title = table[table["rank"] == 1], "Nearest treatment of each"
        table = table.sort_values("similarity", ascending=False)
    drawn = table if wanted else table.head(SHOWN)
    rows = []
    for row in drawn.to_dict("records"):
        value = with_interval(row["similarity"], row["low"], row["high"], 2)
        share = "–" if math.isnan(row["low"]) else f"{row['nearest_share']:.0%}"
        its = found.treatments.loc[str(row["neighbour"]), "label"]
        rank = [row["rank"]] if wanted else []  # it is 1 of all the nearest
        rows.append([row["treatment"], *rank, row["neighbour"], value, share, its])
    columns = ["treatment", *(["rank"] if wanted else []), "neighbour"]
    columns += ["similarity", "nearest in", "its label"]
    show_table(f"{title}: 95 % intervals and share of draws of wells", columns, rows)
    if len(table) > len(rows):
        say(f"{len(table) - len(rows)} more in neighbours.csv; --treatment NAME shows all of one")


def _show_consistency(table: "pd.DataFrame") -> None:
    """Print how well treatments of a label find each other."""
    if table.empty:
        return
    rows = [
        [name, int(row["treatments"]), int(row["agents"])]
        + [
            "–" if math.isnan(row[key]) else f"{row[key]:.3g}"
            for key in ("map", "map_by_chance", "map_p_value", "map_q_value")
        ]
        for name, row in table.sort_values("map", ascending=False).head(MOST_LABELS).iterrows()
    ]
    columns = ["label", "treatments", "agents", "mAP", "by chance", "p", "q"]
    title = "Do treatments of a label find its other agents (compounds, genes, guides) first"
    show_table(title, columns, rows)
    if len(table) > len(rows):
        say(f"{len(table) - len(rows):,} more in consistency.csv")
