"""Where cells stand in their crop file, and how bright they are shown."""

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellssl.crops import Crops, FittedScaling, Scaling, fit_scaling
from cellssl.errors import CropError

if TYPE_CHECKING:
    from anndata import AnnData


def crop_rows(embedding: "AnnData", crops: Crops) -> np.ndarray:
    """Find the row (N,) of each cell in the crop file by its name; −1 where it is not there."""
    names = pd.Index(crops.obs.index.astype(str))
    if not names.is_unique:
        raise CropError(
            f"{crops.path} calls several cells {names[names.duplicated()][0]!r}: cells are matched by their names; "
            "give each its own"
        )
    return names.get_indexer(embedding.obs_names.astype(str))


def none_of_these(embedding: "AnnData", crops: Crops) -> CropError:
    """Say that a crop file has none of the cells."""
    return CropError(
        f"{crops.path} holds none of these cells: it calls one {crops.obs.index[0]!r}, the embedding "
        f"{embedding.obs_names[0]!r}. Give the crop file that the embedding was made from."
    )


def display_scaling(embedding: "AnnData", crops: Crops) -> FittedScaling:
    """Scale pictures as the encoder saw them; globally where that is not recorded."""
    provenance = embedding.uns.get("cellssl", {})
    try:
        bounds = json.loads(provenance["scaling_bounds"])
        fitted = FittedScaling.from_dict({**provenance["scaling"], **bounds})
        fitted.bounds(crops, np.unique(crops.plates, return_index=True)[1])  # knows every plate
    except (KeyError, TypeError, ValueError):
        return fit_scaling(crops, Scaling(per="global", transform="sqrt"))
    return fitted
