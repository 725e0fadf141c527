"""Models that stand beside every protocol, seeing the cells as its encoder sees them."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cellssl.embedding import baseline_names, embed, is_baseline, is_pretrained
from cellssl.errors import ModelError, nearest
from cellssl.files import safe_name
from cellssl.protocols import Protocol
from cellssl.studies.ledger import Ledger, fingerprint, orientation_inputs
from cellssl.studies.sight import sight
from cellssl.training import pick_device

_LOG = logging.getLogger(__name__)

BASELINES: Mapping[str, Path | None] = {"resnet101": None, "random": None, "simple-features": None}
"""What stands in every table unless something else is asked for: models and their weights (None: by name)."""


@dataclass(frozen=True)
class Baseline:
    """A model, and how it is to see the crops.

    Attributes
    ----------
    model
        Its name, as :func:`cellssl.embed` takes it.
    weights
        Local file of a pretrained network's weights; None fetches them by name.
    like
        The protocol whose channels, scaling and view size it gets.
    size
        Pixels that a pretrained network sees; None for the others.
    sample
        Cells to embed, evenly over the wells; None embeds all.
    orientations
        Of how many orientations of a cell features are the mean.
    seed
        Of a random network.
    """

    model: str
    weights: Path | None
    like: Protocol
    size: int | None
    sample: int | None = None
    orientations: int = 1
    seed: int = 0

    @property
    def pretrained(self) -> bool:
        """Whether it has weights."""
        return is_pretrained(self.model)

    @property
    def drawn(self) -> bool:
        """Whether its weights are drawn, others with each seed."""
        return self.model.startswith("random")

    @property
    def file(self) -> str:
        """What its embedding's file is called."""
        return f"{safe_name(self.model)}-seed{self.seed}.h5ad"

    def inputs(self, crops: Path) -> dict[str, Any]:
        """Give all that its embedding of these crops depends on."""
        return {
            "crops": fingerprint(crops),
            "model": self.model,
            "weights": None if self.weights is None else fingerprint(self.weights),
            "channels": self.like.channels,
            "crop": self.like.crop.model_dump(mode="json"),
            "size": self.size,
            "sample": self.sample,
            "seed": self.seed,
            **orientation_inputs(self.orientations),
        }

    def embed(
        self, crops: Path, out: Path, *, where: str | None = None, device: str, progress: bool
    ) -> None:
        """Embed crops, or those for which a column is true, into the file `out`."""
        embed(
            crops,
            self.model,
            out,
            name=f"{self.model} ({self.size} px)" if self.pretrained else self.model,
            weights=self.weights,
            size=self.size,
            **sight(self.like),
            sample=self.sample,
            where=where,
            orientations=self.orientations,
            seed=self.seed,
            device=device,
            progress=progress,
        )


def plan_baselines(
    wanted: Mapping[str, Path | None] | Sequence[str] | None,
    like: Protocol,
    *,
    sample: int | None = None,
    orientations: int = 1,
    device: str = "auto",
) -> Iterator[Baseline]:
    """Check the baselines that are asked for.

    Pretrained networks see 224 pixels, as they were trained with, but 96 on a CPU, where 224 take five times as long;
    their name in tables says which.

    Parameters
    ----------
    wanted
        Model names, or these mapped to weight files; `BASELINES` when None.
    like, sample, orientations
        As in `Baseline`.
    device
        Where they will be computed.

    Raises
    ------
    ModelError
        When a name is none of a baseline, or weights are given to one that has none.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Mapping | Sequence | None):
        raise ModelError(
            f"baselines: got {wanted!r}, wanted a list of names, or names mapped to weight files (None: by name), "
            "such as {'random': None}"
        )
    wanted = BASELINES if wanted is None else wanted
    pixels = 96 if pick_device(device).type == "cpu" else 224
    named = wanted if isinstance(wanted, Mapping) else dict.fromkeys(wanted)
    for model, weights in named.items():
        if not is_baseline(model):
            near = nearest(model, baseline_names(), listed=True) or "."
            known = ", ".join(baseline_names())
            raise ModelError(f"no baseline is called {model!r}{near} There are: {known}.")
        pretrained = is_pretrained(model)
        if weights is not None and not pretrained:
            raise ModelError(f"{model} has no weights to load, but was given {weights}")
        yield Baseline(model, weights, like, pixels if pretrained else None, sample, orientations)


def embed_baselines(
    baselines: Iterable[Baseline],
    crops: Path,
    folder: Path,
    ledger: Ledger,
    *,
    seeds: Iterable[int],
    where: str | None = None,
    device: str,
    progress: bool,
) -> tuple[dict[tuple[str, int], Path], dict[str, str]]:
    """Embed cells with baselines, unless it is done: random ones with each seed, others once.

    Returns
    -------
    dict, dict
        Model and seed → its file in `folder`, the same for each seed where it has none; and model → why
        there is no file.
    """
    there: dict[tuple[str, int], Path] = {}
    absent: dict[str, str] = {}
    for baseline in baselines:
        for seed in seeds:
            seeded = replace(baseline, seed=seed if baseline.drawn else 0)
            path = folder / seeded.file
            inputs = {**seeded.inputs(crops), "where": where}
            work = partial(seeded.embed, crops, path, where=where, device=device, progress=progress)
            try:
                ledger.finish(path.name, inputs, path, work)
            except ModelError as error:
                _LOG.warning("%s", error)
                absent[baseline.model] = str(error)
                break
            there[baseline.model, seed] = path
    return there, absent
