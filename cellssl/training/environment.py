"""environment.json: what a run ran on."""

import datetime
import importlib.metadata
import json
import platform
from pathlib import Path

import torch

from cellssl.files import atomic

_PACKAGES = ("cellssl", "torch", "torchvision", "lightning-fabric", "numpy", "anndata", "h5py")


def write_environment(path: Path, device: torch.device, *, first_step: int, devices: int) -> None:
    """Write versions, device and threads; `first_step` tells where this part of the run began."""
    content: dict[str, object] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        content["device_name"] = torch.cuda.get_device_name(device)
        content["cuda"] = torch.version.cuda
    content |= {"devices": devices, "first_step": first_step}
    with atomic(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n")


def _version(package: str) -> str | None:
    """Look up an installed version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
