"""Several protocols and baselines on the same cells: one table, one figure."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.crops import Crops
from cellssl.embedding import embed
from cellssl.errors import ModelError
from cellssl.files import make_folder
from cellssl.phenotypes import measure_embeddings, require_label
from cellssl.protocols import Protocol, resolve
from cellssl.report import save_figure, score_figure
from cellssl.studies.experiment import BASELINES, embed_baseline, train
from cellssl.studies.ledger import Ledger, fingerprint
from cellssl.training import CHECKPOINT

__all__ = ["Comparison", "compare"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and where it lies.

    Attributes
    ----------
    scores
        The tidy score table (see :func:`cellssl.phenotypes.evaluate`).
    differences
        Paired differences between every two embeddings, with intervals.
    folder
        Holds ``scores.csv``, ``differences.csv``, ``scores.png``, ``runs/`` and ``embeddings/``.
    """

    scores: pd.DataFrame
    differences: pd.DataFrame
    folder: Path


def compare(
    crops: str | Path,
    protocols: Sequence[Protocol | str | Path],
    out: str | Path,
    *,
    label: str | None = None,
    baselines: Mapping[str, Path | None] | None = None,
    seeds: int = 3,
    sample: int | None = None,
    where: str | None = None,
    subsets: Mapping[str, Sequence[str]] | None = None,
    changes: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Comparison:
    """Train each protocol with several seeds, embed, and score them beside baselines.

    All embeddings are scored on the same cells with the same normalisation. Finished runs, embeddings and scores
    are kept: the same command again does only what is missing.

    Parameters
    ----------
    crops
        The crop file.
    protocols
        Protocols, their names or files. Scaling and view size of the baselines are the first one's.
    out
        The folder for everything that is made.
    label
        The obs column to score against, with or without ``Metadata_``; MOA, Control or Compound when left out.
    baselines
        Model names mapped to weight files (None: by name); `BASELINES` when left out.
    seeds
        Trainings per protocol, seeded 0, 1, …; a claim needs at least three.
    sample
        Embed only so many cells, evenly over the wells; all when left out.
    where
        A boolean obs column; only cells where it is true are scored (all are trained on).
    subsets
        Named subsets of label values, scored beside all of them.
    changes
        Replaced protocol values by dotted key, as in :func:`train`.
    device, progress
        As in :func:`train`.
    """
    out = make_folder(out)
    label = require_label(Crops.open(crops).obs, label)
    loaded = [resolve(protocol, changes) for protocol in protocols]
    runner = _Runner(Path(crops), out, Ledger(out / "finished.json"), sample, device, progress)
    paths = [runner.train(protocol, seed) for protocol in loaded for seed in range(seeds)]
    absent: dict[str, str] = {}
    for baseline, weights in (BASELINES if baselines is None else baselines).items():
        try:
            drawn = range(seeds if baseline.startswith("random") else 1)
            paths += [runner.embed(baseline, weights, loaded[0], seed) for seed in drawn]
        except ModelError as error:
            _log.warning("%s", error)
            absent[baseline] = str(error)
    measured = measure_embeddings(
        paths, label=label, where=where, subsets=subsets, absent=absent, progress=progress
    )
    measured.save(out)
    save_figure(score_figure(measured.scores), out / "scores.png")
    return Comparison(measured.scores, measured.differences(), out)


@dataclass(frozen=True)
class _Runner:
    """Makes embeddings that are not there yet."""

    crops: Path
    out: Path
    ledger: Ledger
    sample: int | None
    device: str
    progress: bool

    def train(self, protocol: Protocol, seed: int) -> Path:
        """Train a protocol with a seed and embed all cells with its encoder."""
        seeded = resolve(protocol, {"training.seed": seed})
        name = f"{protocol.name}-seed{seed}"
        _log.info("%s", name)
        run = train(
            seeded, self.crops, self.out / "runs" / name, device=self.device, progress=self.progress
        )
        inputs = {
            "crops": fingerprint(self.crops),
            "checkpoint": fingerprint(run / CHECKPOINT),
            "sample": self.sample,
        }
        return self._once(name, inputs, lambda path: self._embed(run, path, protocol.name))

    def embed(self, baseline: str, weights: Path | None, like: Protocol, seed: int) -> Path:
        """Embed all cells with a baseline."""
        inputs = {
            "crops": fingerprint(self.crops),
            "weights": weights and fingerprint(weights),
            "crop": like.crop.model_dump(mode="json"),
            "seed": seed,
            "sample": self.sample,
        }
        return self._once(
            f"{baseline}-seed{seed}".replace(":", "-"),
            inputs,
            lambda path: embed_baseline(
                self.crops,
                baseline,
                path,
                like=like,
                weights=weights,
                sample=self.sample,
                seed=seed,
                device=self.device,
                progress=self.progress,
            ),
        )

    def _embed(self, run: Path, path: Path, name: str) -> object:
        return embed(
            self.crops,
            run,
            path,
            name=name,
            sample=self.sample,
            device=self.device,
            progress=self.progress,
        )

    def _once(self, name: str, inputs: Mapping[str, Any], work: Callable[[Path], object]) -> Path:
        """Make an embedding unless it is there, made from the same inputs."""
        path = make_folder(self.out / "embeddings") / f"{name}.h5ad"
        if not self.ledger.holds(name, inputs):
            work(path)
            self.ledger.record(name, inputs, [path])
        return path
