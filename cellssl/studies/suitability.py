"""Does a protocol suit these crops? Asked before hours of training, of a sample of the cells."""

from pathlib import Path

import numpy as np
import torch

from cellssl.arguments import whole_numbers
from cellssl.crops import Crops, fit_scaling
from cellssl.datasets import CropSource
from cellssl.errors import ProtocolError, TrainingError
from cellssl.phenotypes import in_test_set
from cellssl.protocols import (
    Finding,
    Protocol,
    build_partners,
    check,
    choose_channels,
    refuse_errors,
    resolve,
)
from cellssl.studies.sight import scaling_rule


@whole_numbers(cells=1)
def check_protocol(
    protocol: Protocol | str | Path, crops: Crops | str | Path, *, cells: int = 256
) -> list[Finding]:
    """Hold a protocol against crops, and make its views of some of them.

    Parameters
    ----------
    protocol
        A protocol, its name or its file.
    crops
        The crop file.
    cells
        How many cells, spread evenly over the file, the views are made of.

    Returns
    -------
    list of Finding
        Errors, or, where there are none, warnings; empty where all is well.

    Raises
    ------
    ProtocolError
        When the protocol itself is wrong.
    CropError
        When the crops cannot be read.
    """
    protocol = resolve(protocol)
    crops = Crops.open(crops)
    found = _hold(protocol, crops)
    if any(finding.level == "error" for finding in found) or not len(crops):
        return found
    try:
        build_partners(protocol, crops.obs[~in_test_set(crops.obs)])
    except (ProtocolError, TrainingError) as error:
        return [Finding("error", str(error).removeprefix(f"protocol {protocol.name}: ")), *found]
    rows = _spread(len(crops), cells)
    channels = choose_channels(protocol, crops.channels)
    scaling = fit_scaling(crops, scaling_rule(protocol))
    source = CropSource(crops, scaling, rows=rows, channels=channels)
    images = source.gather(torch.arange(len(source)))
    return _hold(protocol, crops, images=images, image_masks=crops.masks(rows))


def _spread(count: int, wanted: int) -> np.ndarray:
    """Choose rows: one at random out of each of as many equal parts; always the same ones."""
    parts = np.linspace(0, count, min(wanted, count) + 1).astype(np.int64)
    return np.random.default_rng(0).integers(parts[:-1], parts[1:])


def require_crops(protocol: Protocol, crops: Crops, *, cells: int | None = None) -> list[Finding]:
    """Make sure that a protocol fits a crop file; give what one should know.

    `cells` says how many of them are trained on; all but those of a test set when left out.

    Raises
    ------
    ProtocolError
        With all errors.
    """
    found = _hold(protocol, crops, cells=cells)
    refuse_errors(protocol, found)
    return found


def _hold(
    protocol: Protocol,
    crops: Crops,
    *,
    cells: int | None = None,
    images: torch.Tensor | None = None,
    image_masks: np.ndarray | None = None,
) -> list[Finding]:
    """Hold a protocol against all that a crop file tells, and its views against some images, where given."""
    return check(
        protocol,
        channels=crops.channels,
        stored_size=crops.size,
        masks=crops.mask_names,
        nucleus=crops.nucleus,
        cells=trainable(crops) if cells is None else cells,
        columns=list(crops.obs.columns),
        images=images,
        image_masks=image_masks,
    )


def trainable(crops: Crops) -> int:
    """Count the images that are of no test or validation set."""
    return int((~in_test_set(crops.obs)).sum())
