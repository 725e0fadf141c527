"""Encoder × crops → AnnData: one row of features a cell, with where they come from."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cellssl.arguments import one_path, whole_numbers
from cellssl.crops import Crops, Scaling, scale
from cellssl.embedding.baselines import (
    RANDOM,
    STATISTICS,
    is_baseline,
    preprocess,
    pretrained,
    random,
    statistics,
)
from cellssl.embedding.extractor import Extractor, Preprocessing
from cellssl.embedding.orientations import OrientationMean, check_orientations
from cellssl.embedding.record import assemble, check_out, describe
from cellssl.embedding.trained import trained
from cellssl.encoders import Mapping, PretrainedEncoder
from cellssl.errors import EmbeddingError, ModelError
from cellssl.files import write_h5ad
from cellssl.progress import bar
from cellssl.sampling import chosen_cells, sample_wells
from cellssl.training import pick_device

SEEING = ("channels", "crop_size", "scaling")  # arguments of `preprocess`


@whole_numbers(error=EmbeddingError, size=1, crop_size=1, sample=1, seed=0, batch_size=1)
def embed(
    crops: Crops | str | Path,
    model: str | Path,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    weights: str | Path | None = None,
    mapping: Mapping = "auto",
    size: int | None = None,
    width: float | None = None,
    head: str | None = None,
    channels: str | Sequence[str] | None = None,
    crop_size: int | None = None,
    scaling: Scaling | None = None,
    sample: int | None = None,
    where: str | np.ndarray | pd.Series | None = None,
    orientations: int = 1,
    seed: int = 0,
    batch_size: int | None = None,
    device: str = "auto",
    progress: bool = True,
) -> ad.AnnData:
    """Put an encoder, or a baseline, over crops.

    Cells are scaled, cut to the centre crop, never augmented at random; the same call gives the same numbers.
    A trained encoder takes its channels by name, its crop size and its scaling rule from its
    checkpoint: with ``per: plate`` a new plate is scaled by its own percentiles, with ``global`` by
    the saved numbers. A baseline has no rule of its own: give it `scaling`, `crop_size` and
    `channels` of the protocol it is compared with, ``**cellssl.studies.sight(protocol)``.

    Parameters
    ----------
    crops : Crops or path
        The crop file.
    model : str or path
        A run folder; a checkpoint; or a baseline: "resnet18", "resnet34", "resnet50", "resnet101",
        "resnet50-v1" (ImageNet weights); "random" (an untrained ResNet-18 of width 0.5; or e.g.
        "random:vgg13_bn"); "intensity-features" (nine statistics per channel); "simple-features"
        (the same and, where the cells' table has it, the area of the nucleus).
    out : path, optional
        The ``.h5ad`` to write; it appears whole or not at all.
    name : str, optional
        What the embedding is called in tables and figures; by default the run's or baseline's name.
    weights, mapping, size
        For pretrained networks only, see `cellssl.encoders.load_pretrained`.
    width : float, optional
        Of the random network only.
    head : str, optional
        Of a trained encoder only: the space of one of its heads, in which its loss compared views,
        instead of the encoder's own features. A protocol's groups of views have a head each, named
        as they are; without groups there is one, "projection".
    channels, crop_size, scaling : optional
        How a baseline sees the crops: all channels, the whole stored crop and per plate from
        percentile 1 to 99.9 unless given. A trained encoder brings its own.
    sample : int, optional
        Embed only so many cells, drawn evenly over the wells; always the same ones (see
        `sample_wells`), so that embeddings of one sample can be compared.
    where : str or (N,) bool, optional
        A boolean column of obs, or a truth value for each cell (a Series goes by the cells' names): embed only
        cells where it is true.
    orientations : {1, 4, 8}
        Of how many orientations of a cell features are the mean: as it lies; its quarter turns; these and
        their mirror images, for eight times the work. Where how a cell lies is no phenotype this serves every
        encoder, and those most that were not trained to ignore it (see
        `protocols/studies/results/bbbc021-orientations`).
    seed : int
        Of the random network.
    batch_size : int, optional
        Cells at once; by default 256, fewer for large images on a CPU.
    device : str
        "auto", "cpu", "cuda" or "mps".
    progress : bool
        Whether a bar is drawn.

    Returns
    -------
    AnnData
        X (N, D) float32; `obs` as in the crops; ``uns["cellssl"]`` with name, model, encoder,
        checkpoint_sha256, scaling, crop_size, channels, orientations, positives, weak and version; head
        where one was asked for.

    Raises
    ------
    CropError
        When the crops lack a channel or are smaller than the encoder wants.
    ModelError
        When the model cannot be had.
    EmbeddingError
        When there are no cells, `out` cannot be used, or an argument is given that the model has no
        use for.
    TrainingError
        When there is no such device.

    Examples
    --------
    >>> embedding = embed("crops.h5ad", "runs/expert", "expert.h5ad")  # doctest: +SKIP
    >>> baseline = embed("crops.h5ad", "resnet50", size=96, sample=5000)  # doctest: +SKIP
    """
    check_orientations(orientations)
    if scaling is not None and not isinstance(scaling, Scaling):
        raise EmbeddingError(
            f"scaling: wanted a cellssl.crops.Scaling, such as Scaling(per='global'), got {scaling!r:.80}; "
            "**cellssl.studies.sight(PROTOCOL) gives a protocol's."
        )
    crops = Crops.open(crops)
    if not len(crops):
        raise EmbeddingError(f"{crops.path} holds no cells: nothing can be embedded.")
    if out is not None:
        check_out(Path(out), crops)
    arguments = {
        "weights": weights,
        "mapping": None if mapping == "auto" else mapping,
        "size": size,
        "width": width,
        "head": head,
        "channels": channels,
        "crop_size": crop_size,
        "scaling": scaling,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    extractor = _find(model, crops, given, seed=seed)
    rows = _choose(crops, sample, where)
    features = _extract(
        crops,
        rows,
        extractor,
        pick_device(device),
        orientations=orientations,
        batch_size=batch_size,
        progress=progress,
    )
    about = {
        "name": name or extractor.name,
        "model": str(model),
        "orientations": "any" if extractor.lies_anyhow else orientations,
        **describe(extractor),
    }
    if sample is not None:
        about["sample"] = {"cells": len(rows), "of": len(crops), "drawn": "evenly over wells"}
    result = assemble(features, crops.obs.iloc[rows], extractor, about)
    if out is not None:
        write_h5ad(result, Path(out))
    return result


def _choose(
    crops: Crops, sample: int | None, where: str | np.ndarray | pd.Series | None
) -> np.ndarray:
    """Choose the cells to embed: their positions in the file, rising."""
    rows = np.arange(len(crops))
    if where is not None:
        rows = np.flatnonzero(chosen_cells(crops.obs, where))
        if not len(rows):
            what = where if isinstance(where, str) else "where"
            raise EmbeddingError(f"{what} is true for no cell: nothing to embed.")
    return rows if sample is None else rows[sample_wells(crops.obs.iloc[rows], sample)]


def _find(model: str | Path, crops: Crops, given: dict[str, Any], *, seed: int) -> Extractor:
    """Find the trained encoder, or the baseline of that name; arguments that it would ignore are refused."""
    name = str(model)
    if not is_baseline(model):
        one_path(model, "a run folder, a checkpoint or a baseline's name", error=ModelError)
        _refuse(name, given, but=("head",), why="a trained encoder brings its own")
        return trained(Path(model), crops, **given)
    seeing = {key: given[key] for key in SEEING if key in given}
    own = {key: value for key, value in given.items() if key not in SEEING}
    if name in STATISTICS:
        _refuse(name, own, but=(), why="statistics take no")
        return statistics(name, preprocess(crops, **seeing), crops)
    if name.partition(":")[0] == RANDOM:
        _refuse(name, own, but=("width",), why="an untrained network takes no")
        return random(name, preprocess(crops, **seeing), seed=seed, **own)
    _refuse(name, own, but=("weights", "mapping", "size"), why="a pretrained network takes no")
    return pretrained(name, preprocess(crops, **seeing), **own)


def _refuse(name: str, given: dict[str, Any], *, but: Sequence[str], why: str) -> None:
    """Refuse arguments that a model would ignore."""
    ignored = [key for key in given if key not in but]
    if ignored:
        raise EmbeddingError(
            f"{why} {', '.join(ignored)}: got {', '.join(f'{key}=' for key in ignored)} for "
            f"{name!r}; leave it out."
        )


def _extract(
    crops: Crops,
    rows: np.ndarray,
    extractor: Extractor,
    device: torch.device,
    *,
    orientations: int,
    batch_size: int | None,
    progress: bool,
) -> np.ndarray:
    """Stream the cells through the network: (N, D) float32 in the order of `rows`."""
    orientations = 1 if extractor.lies_anyhow else orientations
    network = OrientationMean(extractor.network, orientations).to(device).eval()
    size = batch_size or _fitting_batch(extractor, device)
    parts = []
    with torch.inference_mode(), _deterministic(), bar(shown=progress) as display:
        task = display.add_task(f"embed with {extractor.name}", total=len(rows), note="")
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            images = _read(crops, batch, extractor.sees, device)
            parts.append(network(images).float().cpu().numpy())
            display.advance(task, len(batch))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise ModelError(
            f"{extractor.name} gave values that are not finite: its weights are broken, "
            "or it was never meant for such input."
        )
    return features


def _read(crops: Crops, rows: np.ndarray, sees: Preprocessing, device: torch.device) -> Tensor:
    """Read some cells' centre crops and scale them: (B, C, crop_size, crop_size) on the device.

    Every pixel is used once, so that none is kept in memory as training does.
    """
    columns = [crops.channels.index(name) for name in sees.channels]
    first = (crops.size - sees.crop_size) // 2
    centre = slice(first, first + sees.crop_size)
    pixels = torch.from_numpy(crops.read(rows)[:, columns, centre, centre]).float().to(device)
    bounds = sees.scaling.bounds(crops, rows, channels=sees.channels)
    low, high = (torch.from_numpy(values).to(device) for values in bounds)
    return scale(pixels, low, high, transform=sees.scaling.rule.transform)


def _fitting_batch(extractor: Extractor, device: torch.device) -> int:
    """Choose a batch: 256 of 64 pixels, on a CPU as many fewer as the images are larger."""
    network = extractor.network
    side = network.size if isinstance(network, PretrainedEncoder) else extractor.sees.crop_size
    if device.type != "cpu" or side <= 64:
        return 256
    return max(16, 256 * 64**2 // side**2)


def _deterministic() -> AbstractContextManager[None]:
    """Let cuDNN choose the same algorithms every time."""
    cudnn = torch.backends.cudnn
    return cudnn.flags(
        enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=cudnn.allow_tf32
    )
