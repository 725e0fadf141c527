"""The AnnData that embedding ends in: features, cells, where they come from; and its file."""

import json
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

import cellssl
from cellssl.crops import Crops
from cellssl.embedding.extractor import Extractor
from cellssl.errors import EmbeddingError
from cellssl.files import check_h5ad


def describe(extractor: Extractor) -> dict[str, Any]:
    """Say what the features come from, in values that an h5ad can hold."""
    fitted = extractor.sees.scaling.to_dict()
    rule = {key: fitted[key] for key in ("per", "percentiles", "transform")}
    return {
        "positives": "",
        "weak": False,
        **extractor.provenance,
        "scaling": {**rule, "percentiles": np.asarray(rule["percentiles"], float)},
        # As text: plates' names may hold a "/", which HDF5 and Zarr would take for a group.
        "scaling_bounds": json.dumps({key: fitted[key] for key in ("channels", "low", "high")}),
        "crop_size": extractor.sees.crop_size,
        "channels": np.asarray(extractor.sees.channels, dtype=object),
        "version": cellssl.__version__,
    }


def assemble(
    features: np.ndarray, obs: pd.DataFrame, extractor: Extractor, about: dict[str, Any]
) -> ad.AnnData:
    """Join features, cells and provenance."""
    measures = obs[list(extractor.measures)].to_numpy(np.float32)
    names = [*extractor.features, *(_feature_name(column) for column in extractor.measures)]
    return ad.AnnData(
        X=np.concatenate([features, measures], axis=1),
        obs=obs.copy(),
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        uns={"cellssl": about},
    )


def _feature_name(column: str) -> str:
    """Turn a column of the cells' table into a feature's name: Area_Nucleus → Nucleus_Area."""
    return "_".join(reversed(column.split("_")))


def check_out(out: Path, crops: Crops) -> None:
    """Refuse before the work what could not be written after it."""
    check_h5ad(out)
    if out.absolute() == crops.path.absolute():
        raise EmbeddingError(f"{out} is the crop file itself: choose another name with --out.")
