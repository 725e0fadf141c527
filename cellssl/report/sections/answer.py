"""The headline: which treatments look alike, in words first, then as a clustered heat map."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from cellssl.columns import WELL, agent_column, bare_name, texts_of
from cellssl.report.figures.similarity import activity_figure, not_silent, similarity_heatmap
from cellssl.report.figures.style import UNKNOWN
from cellssl.report.page import Block, Bullets, Fold, Picture, Section, Table, Text
from cellssl.report.sections.lookalikes import (
    ALIKE,
    Answer,
    candidates,
    find_groups,
    find_pairs,
    read_answer,
    tightness,
)
from cellssl.words import counted, listed, number

if TYPE_CHECKING:
    from cellssl.phenotypes import Similarity


TITLE = "Treatments that look alike"
SHOWN = 5
_WELLS_ALONE = (
    "Nothing is known of these wells' treatments, so that each well counts as one: wells of one treatment are not "
    "put together. Index the plate with --metadata, a table of wells with a column Compound (or Gene), for that."
)


def answer_section(
    similarity: "Similarity | None",
    cells: pd.DataFrame | None = None,
    colours: Mapping[str, str] | None = None,
) -> Section:
    """Build the first screen.

    `cells` says which treatments there are where they were not compared; `colours` are those that labels
    have on the map.
    """
    if similarity is None:
        text = f"{_no_comparison(cells)}; the map and the clusters below show what the encoder told apart."
        return Section("answer", "Look-alikes", TITLE, [Text(text)])
    answer = read_answer(similarity)
    label = bare_name(similarity.label or "label")
    if len(answer.matrix) < 2:
        text = (
            f"There are too few treatments beside the negative control to compare: "
            f"{listed(list(answer.matrix.index))}."
        )
        return Section("answer", "Look-alikes", TITLE, [Text(text), *_activity_blocks(answer)])
    groups = find_groups(answer, candidates(answer))
    blocks: list[Block] = [Bullets(_statements(answer, label, groups))]
    if WELL in similarity.treatments:  # it names them
        blocks.insert(0, Text(_WELLS_ALONE, tone="aside"))
    blocks += [
        _heat_picture(answer, label, colours),
        *_activity_blocks(answer),
        *_group_table(answer, groups),
        *_neighbour_table(answer),
    ]
    return Section("answer", "Look-alikes", TITLE, blocks, lead=_lead(answer, groups))


def _no_comparison(cells: pd.DataFrame | None) -> str:
    """Say why no treatments were compared."""
    column = None if cells is None else agent_column(cells)
    if cells is None or column is None:
        return (
            "These cells carry no treatment (no compound or concentration in the metadata), so that there is "
            "nothing to compare by treatment"
        )
    names = sorted(set(texts_of(cells[column])) - {""})
    if len(names) == 1:
        return f"All cells that were kept are of one treatment, {names[0]}, so that there is nothing to compare"
    return (
        f"The treatments ({listed(names, most=SHOWN)}) could not be compared, and the run said why"
    )


def _lead(answer: Answer, groups: Sequence[Sequence[str]]) -> str:
    total, compounds = len(answer.matrix), len(set(answer.compounds.values()))
    said = counted(total, "treatment")
    if any(name != compound for name, compound in answer.compounds.items()):
        said += f" ({answer.agent} and {_part(answer)})"
    said += f" of {counted(compounds, answer.agent)} compared" if compounds < total else " compared"
    if not answer.active.empty:
        active, tested = int(answer.active.sum()), len(answer.active)
        differ = "differs" if active == 1 else "differ"
        said += f": {active:,} {differ} from the negative control, {tested - active:,} cannot be told from it"
        if untested := total - tested:
            said += (
                f", {untested:,} {'has' if untested == 1 else 'have'} too few wells to be tested"
            )
    if groups:
        of = "of the active ones" if len(candidates(answer)) < total else "of them"
        said += f". {_grouped(answer, groups, of)}"
    return said + "."


def _part(answer: Answer) -> str:
    """Name what tells treatments of one compound, or gene, apart."""
    return "guide" if answer.agent == "gene" else "dose"


def _grouped(answer: Answer, groups: Sequence[Sequence[str]], of: str) -> str:
    """Count the treatments in groups; doses of one compound that are alone in theirs are no news."""
    alone = [group for group in groups if len({answer.compounds[name] for name in group}) == 1]
    several = [group for group in groups if group not in alone]
    said = []
    if several:
        count = counted(len(several), "group")
        said.append(f"{sum(map(len, several)):,} {of} fall into {count} of look-alikes")
    if alone:
        compounds = dict.fromkeys(answer.compounds[group[0]] for group in alone)
        names = listed([*compounds], most=SHOWN)
        count = f"{sum(map(len, alone)):,} {'more' if several else of}"
        said.append(
            f"{count} look like another {_part(answer)} of the same {answer.agent} ({names})"
        )
    return "; ".join(said)


def _statements(answer: Answer, label: str, groups: Sequence[list[str]]) -> list[tuple[str, str]]:
    names = candidates(answer)
    said = []
    pairs = [
        f"{first} and {second} ({number(value)}{_same(answer, first, second)})"
        for first, second, value in find_pairs(answer, names)[:SHOWN]
    ]
    alone = f"no two {answer.agent}s have a similarity of {ALIKE} or more."
    said.append(
        ("Most alike, each the other’s nearest:", "; ".join(pairs) + "." if pairs else alone)
    )
    large = [_group_in_words(answer, group) for group in groups if len(group) > 2]
    if large:
        more = f"; and {len(large) - SHOWN} more, listed below" if len(large) > SHOWN else ""
        said.append(
            (
                "Groups of three or more, with their average similarity:",
                "; ".join(large[:SHOWN]) + more + ".",
            )
        )
    if not answer.active.empty:
        silent = [name for name in answer.matrix.index if not answer.active.get(name, True)]
        said.append(("Not told from the negative control:", _by_compound(answer, silent) + "."))
    if not answer.activity.empty:
        strongest = answer.activity.sort_values(ascending=False).head(SHOWN)
        text = ", ".join(f"{name} ({number(value, 1)}×)" for name, value in strongest.items())
        ending = "; 1× is what one well of untreated cells shows."
        said.append(("Farthest from the negative control:", text + ending))
    agreement = _agreement(answer, label)
    return [*said, ("Check:", agreement)] if agreement else said


def _by_compound(answer: Answer, names: Sequence[str], *, most: int = 8) -> str:
    """List treatments compound by compound: a compound with several gets their number."""
    own: dict[str, list[str]] = {}
    for name in names:
        own.setdefault(answer.compounds[name], []).append(name)
    words = [
        each[0] if len(each) == 1 else f"{compound} ({len(each)} treatments)"
        for compound, each in own.items()
    ]
    return listed(words, most=most)


def _group_in_words(answer: Answer, group: list[str]) -> str:
    """Name a group's compounds, its similarity and the label that most of it carries."""
    said = [number(tightness(answer, group)), *filter(None, [_most_of(answer, group)])]
    return f"{_by_compound(answer, group, most=5)} ({', '.join(said)})"


def _most_of(answer: Answer, group: list[str]) -> str:
    """Name the label that at least half of a group carries."""
    counts = pd.Series([answer.labels[name] for name in group]).value_counts()
    counts = counts.drop(UNKNOWN, errors="ignore")
    if counts.empty:
        return ""
    most = 2 * counts.iloc[0] >= len(group)
    return f"{counts.iloc[0]} of {len(group)} {counts.index[0]}" if most else "mixed"


def _same(answer: Answer, first: str, second: str) -> str:
    """Name the label that two treatments share."""
    label = answer.labels.get(first, UNKNOWN)
    return f", both {label}" if label != UNKNOWN and label == answer.labels.get(second) else ""


def _agreement(answer: Answer, label: str) -> str:
    """Count nearest neighbours of the same label, beside what chance would give."""
    known = {name: each for name, each in answer.labels.items() if each != UNKNOWN}
    nearest = answer.neighbours[answer.neighbours["rank"] == 1]
    labels = nearest[["treatment", "neighbour"]].apply(lambda names: names.map(known)).dropna()
    sizes = pd.Series(known, dtype=str).value_counts()
    if labels.empty or len(sizes) < 2 or len(known) < 3 or (sizes == 1).all():
        return ""
    hits = (labels["treatment"] == labels["neighbour"]).sum()
    chance = (sizes[labels["treatment"]] - 1).sum() / (len(known) - 1)
    return (
        f"the nearest neighbour has the same {label} for {hits:,} of "
        f"{counted(len(labels), 'treatment')} (by chance about {number(chance, 1)}); the encoder "
        "never saw these labels unless the scores below say so."
    )


def _heat_picture(answer: Answer, label: str, colours: Mapping[str, str] | None) -> Picture:
    names = not_silent(answer.matrix.index, answer.active)
    figure = similarity_heatmap(
        answer.matrix.loc[names, names],
        labels=answer.labels,
        label_name=label,
        colours=colours,
        title="",
    )
    caption = (
        "Each row and column is a treatment, and the square where they meet says how alike their "
        "cells look: treatments that change cells in the same way form blocks along the diagonal, "
        "and the tree at the left joins the most alike first."
    )
    if len(names) < len(answer.matrix):
        caption += (
            " Treatments that cannot be told from the negative control are left out: what these "
            "share may be chance."
        )
    elif not answer.active.all():
        caption += (
            " Hardly one of them can be told from the negative control: what they share may be "
            "chance."
        )
    return Picture(
        figure, caption, f"Clustered heat map of the similarity of {len(names)} treatments"
    )


def _activity_blocks(answer: Answer) -> list[Block]:
    if answer.activity.empty:
        return [
            Text(
                "No negative control is known, so how strongly each treatment acts cannot be said.",
                tone="aside",
            )
        ]
    figure = activity_figure(answer.activity, active=None if answer.active.empty else answer.active)
    caption = (
        "The longer a bar, the more its cells differ from untreated ones; 1 is what one well of "
        "untreated cells shows by chance"
    )
    told = answer.active.reindex(answer.activity.index, fill_value=False)
    if not answer.active.empty and not told.all():
        untested = not answer.activity.index.isin(answer.active.index).all()
        also = " or have too few wells to be tested" if untested else ""
        caption += f", and hollow bars cannot be told from it{also} (5 % false calls accepted)"
    if answer.active.empty:
        caption += ". There are too few control wells to test which treatments differ"
    return [
        Picture(figure, f"{caption}.", "Bars: distance of each treatment from the negative control")
    ]


def _group_table(answer: Answer, groups: Sequence[list[str]]) -> list[Block]:
    """List the groups with all their treatments, of which the statements name some."""
    if not groups:
        return []
    table = pd.DataFrame(
        {
            "treatments": [str(len(group)) for group in groups],
            "similarity": [number(tightness(answer, group)) for group in groups],
            "label": [_most_of(answer, group) for group in groups],
            "which": [", ".join(group) for group in groups],
        }
    )
    shown = table if table["label"].any() else table.drop(columns="label")
    numeric = ["treatments", "similarity"]
    return [Fold("Every group of look-alikes", [Table.of(shown, numeric=numeric)])]


def _neighbour_table(answer: Answer) -> list[Block]:
    if answer.neighbours.empty:
        return []
    rows = []
    for treatment, own in answer.neighbours.groupby("treatment"):
        name, nearest = str(treatment), own[own["rank"] <= 3].sort_values("rank")
        near = (f"{row.neighbour} ({number(row.similarity)})" for row in nearest.itertuples())
        rows.append([name, answer.labels[name], f"{answer.cells[name]:,}", "; ".join(near)])
    columns = ["treatment", "label", "cells", "nearest neighbours (similarity)"]
    table = pd.DataFrame(rows, columns=columns)
    shown = table.drop(columns="label") if (table["label"] == UNKNOWN).all() else table
    title = "Three nearest neighbours of every treatment"
    return [Fold(title, [Table.of(shown, numeric=["cells"])])]
