"""Options that several commands share, said once; those that belong together are a dataclass."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cellssl.cli.shell import refuse
from cellssl.errors import CellsslError, ProtocolError
from cellssl.shipped import protocol_file, protocol_names


def existing(remedy: str) -> Callable[[Path | None], Path | None]:
    """Refuse a path that does not exist as the command line is read, before seconds of imports.

    `remedy` says how to get what is missing.
    """

    def check(path: Path | None) -> Path | None:
        if path is None:
            return path
        if path.suffix in (".yaml", ".yml") or (
            str(path) in protocol_names() and not path.exists()
        ):
            refuse(
                f"{path} is a protocol's name or file, wanted another file: give it as --protocol, or before "
                "the crops where it is an argument"
            )
        if not path.exists():
            refuse(f"{path} does not exist: {remedy}")
        return path

    return check


def known_protocols(given: str | list[str] | None) -> str | list[str] | None:
    """Refuse protocols that are not there as the command line is read, before seconds of imports."""
    for name in [given] if isinstance(given, str) else given or []:
        try:
            protocol_file(name)
        except ProtocolError as error:
            refuse(str(error))
    return given


def argument(what: str, check: Callable[..., Any] | None = None) -> Any:
    """Say what an argument is, with its default where it has one, and by what it is checked."""
    return typer.Argument(help=what, show_default=False, callback=check)


def out_option(what: str) -> Any:
    """Say what is written to where ``--out`` says."""
    return typer.Option("--out", "-o", help=what)


def protocol_option(what: str) -> Any:
    """Say what the protocols are for that ``--protocol`` names; they must be there."""
    return typer.Option("--protocol", "-p", help=what, callback=known_protocols)


MADE_BY_CROP = existing("make it with `cellssl crop`")
MADE_BY_EMBED = existing("make it with `cellssl embed`")

Out = Annotated[Path, out_option("The file that is written.")]
OutFolder = Annotated[Path, out_option("The folder that results are written to; it is made.")]
CropFile = Annotated[Path, argument("The crop file (crops.h5ad).", MADE_BY_CROP)]
ProtocolName = Annotated[str, argument("A protocol's name or file.", known_protocols)]
Head = Annotated[
    str | None,
    typer.Option(
        help="The space of one head of a trained run: a group of views' name, or projection where there "
        "are no groups. (default: the encoder's own features)"
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        help="The column to score against. (default: MOA, Phenotype, Compound, Gene, Control or Class, the "
        "first there; controls before compounds or genes that are not repeated)"
    ),
]
Where = Annotated[
    str | None, typer.Option(help="A true/false column: only cells where it is true are scored.")
]
HeldOut = Annotated[
    bool,
    typer.Option(
        "--held-out",
        help="Score only plates whose labels no training used for its positives. Without it, scores that "
        "would ask for labels that training was given are refused.",
    ),
]
UsedPlates = Annotated[
    bool,
    typer.Option(
        "--used-plates",
        help="With held-out scores, also those of the plates whose labels training used, marked as telling "
        "nothing of new plates: how far weak labels mislead where they were used.",
    ),
]
Groups = Annotated[
    str,
    typer.Option(
        help="What kNN and linear are kept apart by: plate, well, split (Metadata_Split), or a column. "
        "(default: the test set where there is one, else plates, else wells)",
        show_default=False,
    ),
]
Subsets = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=VALUE,VALUE,… of the label, scored beside all; may be repeated. A value that holds a "
        "comma stands in double quotes: --subset 'x=DMSO,\"a, b\"'."
    ),
]
_BASELINES = (
    "resnet18…101, resnet50-v1, random, simple-features, intensity-features, or MODEL=WEIGHTS.pth; may be "
    "repeated; 'none' for none. (default: {})"
)
Baselines = Annotated[
    list[str] | None,
    typer.Option(help=_BASELINES.format("resnet101, random, simple-features")),
]
StudyBaselines = Annotated[
    list[str] | None, typer.Option(help=_BASELINES.format("those that the study names"))
]
EmbeddingFile = Annotated[
    Path, argument("Cells or wells: .h5ad, .zarr, .csv or .parquet.", MADE_BY_EMBED)
]
Normalisation = Annotated[
    str,
    typer.Option(
        help="Label-free: none, standardise, plate-standardise, plate-robust, control-standardise, "
        "control-robust, control-percentile, sphere, control-sphere, tvn, factor-analysis, coral, control-coral, "
        "harmony; several joined by +."
    ),
]
Orientations = Annotated[
    int,
    typer.Option(
        help="Take the mean of features over so many orientations of each cell: 1 (as it lies), 4 (its quarter "
        "turns) or 8 (and their mirror images), where how a cell lies is no phenotype; the same for all "
        "plates that are compared."
    ),
]
Controls = Annotated[
    str | None,
    typer.Option(
        help="COLUMN=VALUE of the negative controls. (default: Metadata_Control=negative)"
    ),
]
Aggregation = Annotated[
    str,
    typer.Option(
        help="median, mean or trimmed-mean (without the tenth at either end): cells to wells, wells to treatments."
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, help="Seed of all that is drawn at random: the same, the same result.")
]
SomeCells = Annotated[int, typer.Option(min=20, help="Cells that are looked at, evenly.")]
Views = Annotated[int, typer.Option(min=1, help="Views of each cell.")]
DrawSeed = Annotated[int, typer.Option(min=0, help="Seed of the random draws.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Local file with a pretrained model's weights; nothing is downloaded.",
        callback=existing("download it first, or leave --weights out"),
    ),
]


@dataclass(frozen=True)
class ManyDevices:
    """How several devices share a training; torchrun brings its own numbers."""

    devices: Annotated[int, typer.Option(min=1, help="Devices on each machine.")] = 1
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1
    strategy: Annotated[
        str, typer.Option(help="auto or ddp: each device takes a part of every batch.")
    ] = "auto"


@dataclass(frozen=True)
class TrainingChanges:
    """Values that replace a protocol's."""

    epochs: Annotated[int | None, typer.Option(min=1, help="Replaces the protocol's epochs.")] = (
        None
    )
    seed: Annotated[int | None, typer.Option(min=0, help="Replaces the protocol's seed.")] = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="KEY=VALUE replaces a protocol's value, e.g. training.width=0.5; may be repeated.",
        ),
    ] = None

    def collect(self) -> dict[str, Any]:
        """Gather them by dotted key."""
        collected = parse_settings(self.set_)
        if self.epochs is not None:
            collected["training.epochs"] = self.epochs
        if self.seed is not None:
            collected["training.seed"] = self.seed
        return collected


def parse_baselines(values: list[str] | None) -> dict[str, Path | None] | None:
    """Turn ``["random", "resnet101=w.pth"]`` into models and their weights; None stays None."""
    if values is None:
        return None
    baselines: dict[str, Path | None] = {}
    for value in values:
        if value == "none":
            continue
        model, equals, weights = value.partition("=")
        if equals and not weights:
            raise CellsslError(f"--baseline {value} names no file after the =")
        baselines[model] = Path(weights) if equals else None
    return baselines


def parse_pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """Turn ``["1=GFP", "2=DNA"]`` into ``{"1": "GFP", "2": "DNA"}``; None into no pair.

    Raises
    ------
    CellsslError
        When a value has no ``=`` or a key comes twice.
    """
    pairs: dict[str, str] = {}
    for value in values or ():
        key, equals, text = value.partition("=")
        if not equals or not key or not text:
            raise CellsslError(f"{option} takes KEY=VALUE, got '{value}'")
        if key in pairs:
            raise CellsslError(f"{option} {key} is given twice: '{pairs[key]}' and '{text}'")
        pairs[key] = text
    return pairs


def parse_settings(values: list[str] | None) -> dict[str, Any]:
    """Turn ``["training.width=0.5"]`` into settings by key; values are read as in a protocol file."""
    from cellssl.protocols import parse_value

    return {key: parse_value(text) for key, text in parse_pairs(values, "--set").items()}


def parse_lists(values: list[str] | None, option: str) -> dict[str, list[str]] | None:
    """Turn ``['cyto=DMSO,"Actin, disrupted"']`` into lists by name; None when there are none."""
    pairs = parse_pairs(values, option)
    return {
        name: [part.strip() for part in next(csv.reader([text], skipinitialspace=True))]
        for name, text in pairs.items()
    } or None
