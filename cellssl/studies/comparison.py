"""Several protocols and baselines on the same cells: one table, one figure."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.arguments import seed_numbers, whole_numbers
from cellssl.crops import Crops
from cellssl.embedding import check_orientations, embed
from cellssl.errors import ProtocolError, StudyError
from cellssl.files import make_folder
from cellssl.phenotypes import measure_embeddings, require_label
from cellssl.protocols import Protocol, resolve
from cellssl.studies.baselines import Baseline, embed_baselines, plan_baselines
from cellssl.studies.combining import combination_faults, put_together
from cellssl.studies.comparison_page import write_comparison_page
from cellssl.studies.experiment import train
from cellssl.studies.ledger import Ledger, fingerprint, orientation_inputs
from cellssl.studies.provenance import read_environments
from cellssl.studies.readiness import check_label
from cellssl.training import CHECKPOINT
from cellssl.words import listed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it lies.

    Attributes
    ----------
    scores
        The tidy score table (see :func:`cellssl.phenotypes.evaluate`).
    differences
        Paired differences between every two embeddings, with intervals.
    class_differences
        The same in each class, with intervals that hold for all classes of a pair at once.
    folder
        Holds ``comparison.html``, the tables ``scores.csv``, ``differences.csv``, ``class_differences.csv``,
        ``per_class.csv`` and ``confusion.csv``, the page's figures, and the folders ``confusion`` (a picture
        per embedding), ``runs``, ``embeddings`` and ``combined``.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame
    class_differences: pd.DataFrame
    folder: Path

    def __repr__(self) -> str:
        names = list(self.scores["embedding"].unique())
        return f"Comparison({listed(names, most=6)}, {self.folder / 'comparison.html'})"


@whole_numbers(error=StudyError, sample=1)
def compare(
    crops: str | Path,
    protocols: Sequence[Protocol | str | Path] | Protocol | str | Path,
    out: str | Path,
    *,
    label: str | None = None,
    baselines: Mapping[str, Path | None] | Sequence[str] | None = None,
    combine: Mapping[str, Sequence[str]] | None = None,
    seeds: int | Sequence[int] = 3,
    sample: int | None = None,
    orientations: int = 1,
    where: str | None = None,
    groups: str = "auto",
    held_out: bool = False,
    subsets: Mapping[str, Sequence[str]] | None = None,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Comparison:
    """Train each protocol with several seeds, embed, and score them beside baselines.

    All embeddings are scored on the same cells with the same normalisation. Finished runs and embeddings are kept:
    the same command again trains and embeds only what is missing, and scores anew.

    Parameters
    ----------
    crops
        The crop file.
    protocols
        Protocols, their names or files. Scaling and view size of the baselines are the first one's.
    out
        The folder for everything that is made.
    label
        The obs column to score against, with or without ``Metadata_``; MOA, Phenotype, Compound, Gene,
        Control or Class when left out, see `cellssl.phenotypes.usual_label`.
    baselines
        Model names, or these mapped to weight files (None: by name); resnet101, random and
        simple-features when left out.
    combine
        Embeddings put side by side, seed by seed: a name for each → protocols and baselines among those above. One
        that comes twice gives two seeds.
    seeds
        Trainings per protocol: how many (seeded 0, 1, …), or their seeds; a claim needs at least three.
    sample
        Embed only so many cells, evenly over the wells; all when left out.
    orientations
        Of how many orientations of a cell features are the mean, as in :func:`cellssl.embed`; for all alike.
    where
        A boolean obs column; only cells where it is true are scored (all are trained on).
    groups
        What kNN and linear are kept apart by, as for :func:`cellssl.evaluate`.
    held_out
        Score only cells of plates whose labels no protocol uses for its positives; without it, scores that would
        ask for labels that training was given are refused, before anything is trained.
    subsets
        Named subsets of label values, scored beside all of them.
    changes
        Replaced protocol values by dotted key, as in :func:`train`.
    device, progress
        As in :func:`train`.
    """
    opened = Crops.open(crops)
    obs = opened.obs
    label = require_label(obs, label)
    loaded = _resolve_all(protocols, changes or {})
    # Mistakes show now, not after the training.
    check_label(obs, label, loaded, subsets=subsets, where=where, held_out=held_out)
    check_orientations(orientations)
    some: dict[str, Any] = {"sample": sample, "orientations": orientations}
    planned = list(plan_baselines(baselines, loaded[0], **some, device=device))
    combine = dict(combine or {})
    numbers = seed_numbers(seeds, error=ProtocolError)
    _check_combined(combine, loaded, planned, len(numbers))
    out = make_folder(out)
    ledger = Ledger(out / "finished.json")
    folder = make_folder(out / "embeddings")
    how: dict[str, Any] = {"seeds": numbers, "device": device, "progress": progress}
    there = _train_and_embed(loaded, opened.path, out, ledger, **some, **how)
    trained = list(there.values())
    environments = read_environments({path.stem: out / "runs" / path.stem for path in trained})
    beside, absent = embed_baselines(planned, opened.path, folder, ledger, **how)
    there |= beside
    absent |= {
        name: f"a part of it, {part}, could not be had"
        for name, parts in combine.items()
        for part in parts
        if part in absent
    }
    if combine:
        shelf = Ledger(make_folder(out / "combined") / "finished.json")
        trained += put_together(combine, numbers, there, shelf)
    measured = measure_embeddings(
        [*trained, *dict.fromkeys(beside.values())],
        label=label,
        where=where,
        groups=groups,
        held_out=held_out,
        cell_count=True,
        subsets=subsets,
        absent=absent,
        progress=progress,
    )
    measured.save(out)
    write_comparison_page(
        measured,
        opened,
        out,
        environments=environments,
        trained={protocol.name: protocol.description for protocol in loaded},
        seeds=len(numbers),
        orientations=orientations,
        combined=combine,
    )
    return Comparison(measured.scores, measured.differences(), measured.class_differences, out)


def _resolve_all(
    protocols: Sequence[Protocol | str | Path] | Protocol | str | Path, changes: Mapping[str, Any]
) -> list[Protocol]:
    """Read the protocols; make sure that each has a name of its own, which folders can bear."""
    if "training.seed" in changes:
        raise ProtocolError(
            "a comparison trains each protocol with several seeds: `seeds` says how many, or which"
        )
    if isinstance(protocols, Protocol | str | Path):
        protocols = [protocols]
    loaded = [resolve(protocol, changes) for protocol in protocols]
    names = [protocol.name for protocol in loaded]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice:
        what = f"{', '.join(twice)} comes twice" if twice else "none is given"
        raise ProtocolError(f"a comparison needs protocols with names of their own: {what}")
    odd = [name for name in names if Path(name).name != name]
    if odd:
        raise ProtocolError(f"'{odd[0]}' cannot name a folder: choose a name without slashes")
    return loaded


def _check_combined(
    combine: Mapping[str, Sequence[str]],
    protocols: Sequence[Protocol],
    baselines: Sequence[Baseline],
    seeds: int,
) -> None:
    """Make sure that what is put side by side will be there."""
    known = [*(one.name for one in protocols), *(one.model for one in baselines)]
    fixed = [one.model for one in baselines if not one.drawn]
    for name, fault in combination_faults(combine, known, seeds, fixed=fixed):
        raise ProtocolError(f"combination {name!r}: {fault}")


def _train_and_embed(
    protocols: Sequence[Protocol],
    crops: Path,
    out: Path,
    ledger: Ledger,
    *,
    seeds: Sequence[int],
    sample: int | None,
    orientations: int,
    device: str,
    progress: bool,
) -> dict[tuple[str, int], Path]:
    """Train protocols with each seed and embed the cells, unless it is done: name and seed → embedding."""
    there: dict[tuple[str, int], Path] = {}
    for protocol, seed in itertools.product(protocols, seeds):
        name = f"{protocol.name}-seed{seed}"
        _LOG.info("%s", name)
        run = train(
            crops,
            resolve(protocol, {"training.seed": seed}),
            out / "runs" / name,
            device=device,
            progress=progress,
        )
        path = out / "embeddings" / f"{name}.h5ad"
        inputs = {
            "crops": fingerprint(crops),
            "checkpoint": fingerprint(run / CHECKPOINT),
            "sample": sample,
            **orientation_inputs(orientations),
        }
        work = partial(
            embed,
            crops,
            run,
            path,
            name=protocol.name,
            sample=sample,
            orientations=orientations,
            device=device,
            progress=progress,
        )
        ledger.finish(path.name, inputs, path, work)
        there[protocol.name, seed] = path
    return there
