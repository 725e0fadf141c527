"""How the encoder was made: the protocol with its reasons, the training, the provenance."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import cellssl
from cellssl.crops import Crops
from cellssl.errors import TrainingError
from cellssl.nested import dotted
from cellssl.report.figures.training import training_curve
from cellssl.report.page import Block, Bullets, Fold, Picture, Section, Table, Text
from cellssl.words import counted, number

if TYPE_CHECKING:
    from anndata import AnnData

    from cellssl.protocols import Protocol


LONG = 300  # characters of a value that stands in the table of provenance


def training_section(protocol: "Protocol | None", metrics: str | Path | None) -> Section | None:
    """Show what the encoder was told to ignore, why, and how training went."""
    blocks: list[Block] = []
    if protocol is not None:
        blocks += _protocol_blocks(protocol)
    if metrics is not None:
        blocks += _curve_blocks(protocol, metrics)
    if not blocks:
        return None
    why = "The augmentations decide what the encoder can see: whatever they vary, it learns to ignore."
    lead = "" if protocol is None else why
    return Section("training", "Training", "Protocol and training", blocks, lead=lead)


def _curve_blocks(protocol: "Protocol | None", metrics: str | Path) -> list[Block]:
    try:
        figure = training_curve(metrics)
    except TrainingError as error:
        return [Text(f"The training's course cannot be shown: {error}", tone="warning")]
    caption = (
        "The loss should fall and level off. The effective rank is the number of independent "
        "directions in which the features differ: near 1 (or a spread near 0), the encoder gives "
        "all cells the same answer and its scores mean nothing."
    )
    if protocol is not None and protocol.groups and protocol.training.own_stages:
        caption += f" It is that of the first group of views, {next(iter(protocol.groups))}, alone."
    return [
        Picture(figure, caption, "Training loss and spread of the features over the epochs"),
        *_speed(metrics),
    ]


def _speed(metrics: str | Path) -> list[Block]:
    table = pd.read_csv(metrics)
    if "images_per_second" not in table or "epoch" not in table:
        return []
    rate = pd.to_numeric(table["images_per_second"], errors="coerce").median()
    first, last = (number(table["loss"].iloc[row], 3) for row in (0, -1))
    epochs = counted(len(set(table["epoch"])), "epoch")
    said = f"{epochs}, loss {first} → {last}, about {number(rate, 0)} images per second."
    return [Text(said, tone="aside")]


def _protocol_blocks(protocol: "Protocol") -> list[Block]:
    from cellssl.protocols import describe  # imports torch, which a report without one can spare

    about = ": ".join(filter(None, [f"Protocol {protocol.name}", protocol.description]))
    table = describe(protocol)
    if set(table["view"]) == {"both"}:
        table = table.drop(columns="view")
    table = table.loc[:, (table != "").any()]
    blocks: list[Block] = [Text(about)]
    if len(table):
        blocks.append(Table.of(table))
    if protocol.positives.weak:
        kind = str(protocol.positives).replace("_", " ")
        text = f"Positives: {kind}. This is weak supervision: the training used the plate's layout."
        blocks.append(Text(text, tone="warning"))
    used = protocol.labels_used
    if used is not None:
        where = f"plates {', '.join(used.plates)}" if used.plates else "all plates"
        text = f"This protocol was chosen by labels: {', '.join(used.columns)} of {where}."
        blocks.append(Text(text, tone="warning"))
    return blocks


def provenance_section(embedding: "AnnData", crops: Crops | None, notes: Sequence[str]) -> Section:
    """Say where everything came from, so that it can be made again."""
    blocks: list[Block] = []
    if notes:
        blocks.append(Bullets([("", note) for note in notes]))
    shape = {"cells × features": f"{embedding.n_obs:,} × {embedding.n_vars:,}"}
    blocks.append(_table("Embedding", {**shape, **embedding.uns.get("cellssl", {})}))
    if crops is not None:
        told = {"cells": f"{len(crops.obs):,}", **crops.uns["cellssl"]}
        del told["percentiles"]
        blocks.append(_table("Crops", told))
    software = {"cellssl": cellssl.__version__, "Python": platform.python_version()}
    blocks.append(_table("Software", software))
    return Section("provenance", "Provenance", "Where this comes from", blocks)


def _table(title: str, values: Mapping[str, Any]) -> Block:
    rows = [[key, text] for key, value in dotted(values) if (text := _written(value))]
    rows.sort(key=lambda row: len(row[1]) > LONG)
    table = Table(["", ""], rows, title)
    return Fold(f"{title}, in full", [table]) if len(rows[-1][1]) > LONG else table


def _written(value: object) -> str:
    if isinstance(value, pd.DataFrame):
        return f"table of {len(value)} rows"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_short(item) for item in value)
    return _short(value)


def _short(value: object) -> str:
    """Write six digits of a number: enough to recognise it."""
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
