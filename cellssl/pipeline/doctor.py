"""Is this machine ready: what is installed, what is missing, and what to do about it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

_NEEDED = ("torch", "torchvision", "lightning_fabric", "anndata", "scanpy", "tifffile", "skimage")
_DISTRIBUTIONS = {"lightning_fabric": "lightning-fabric", "skimage": "scikit-image"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    subject, detail
        What was looked at, and what was seen.
    level
        ``"ok"``, ``"note"`` (works, but could be better) or ``"error"`` (cellssl will not work).
    """

    subject: str
    detail: str
    level: str = "ok"


def doctor(folder: str | Path = ".") -> list[Finding]:
    """Look at Python, packages, device, memory, disk and pretrained weights.

    Parameters
    ----------
    folder
        Where results would be written.
    """
    return [
        Finding("python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *(
            _look_at_package(name, "missing: pip install cellssl again", "error")
            for name in _NEEDED
        ),
        _look_at_package(
            "cellpose", "not installed (optional): pip install 'cellssl[cellpose]'", "note"
        ),
        *_look_at_device(),
        _look_at_memory(),
        _look_at_disk(Path(folder)),
        _look_at_weights(),
    ]


def _look_at_package(name: str, missing: str, level: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, missing, level)
    return Finding(name, importlib.metadata.version(_DISTRIBUTIONS.get(name, name)))


def _look_at_device() -> list[Finding]:
    import torch
    from dask.system import CPU_COUNT

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return [Finding("device", f"cuda: {', '.join(names)}")]
    if torch.backends.mps.is_available():
        return [Finding("device", "mps (Apple)")]
    detail = f"cpu, {CPU_COUNT} cores, {torch.get_num_threads()} used by torch"
    return [Finding("device", f"{detail}: training is much slower than on a GPU", "note")]


def _look_at_memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("memory", "unknown on this system", "note")
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return Finding("memory", f"{gigabytes:.0f} GB", "ok" if gigabytes >= 8 else "note")


def _look_at_disk(folder: Path) -> Finding:
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not os.access(there, os.W_OK) or not there.is_dir():
        return Finding("disk", f"cannot write to {there}: choose another folder", "error")
    gigabytes = shutil.disk_usage(there).free / 2**30
    detail = f"{gigabytes:.0f} GB free in {there}"
    return Finding("disk", detail, "ok" if gigabytes >= 10 else "note")


def _look_at_weights() -> Finding:
    from cellssl.encoders import weights_at_hand

    path = weights_at_hand("resnet101")
    if path is None:
        return Finding(
            "resnet101", "ImageNet weights not here yet; downloaded at first use", "note"
        )
    return Finding("resnet101", f"ImageNet weights in {path}")
