"""How bright cells are shown."""

import json
from typing import TYPE_CHECKING

import numpy as np

from cellssl.crops import Crops, FittedScaling, Scaling, fit_scaling

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["display_scaling"]


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
