"""Which device, or devices, to compute on."""

import atexit
import inspect
import os

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.nn.parallel import DistributedDataParallel

from cellssl.errors import TrainingError, first_line

_KINDS = ("auto", "cpu", "cuda", "mps")
_COUNTED = ("cuda", "mps")  # one of several by its number


def pick_device(name: str = "auto") -> torch.device:
    """Choose a device by name.

    Parameters
    ----------
    name
        "auto" (an accelerator where there is one, else the CPU), "cpu", "cuda", "cuda:1", "mps", or
        "gpu" (CUDA's where there is one, else Apple's).

    Raises
    ------
    TrainingError
        When there is no such device here.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    name = _known(name)
    _use_own_cores()
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise TrainingError(
            f"no device {name!r} here ({first_line(error)}); take auto or cpu"
        ) from error
    return device


def _use_own_cores() -> None:
    """Let torch start no more threads than a container may use cores; it counts the machine's."""
    from dask.system import CPU_COUNT  # of those that this process may use, in a container too

    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > CPU_COUNT:
        torch.set_num_threads(CPU_COUNT)


def _known(name: str) -> str:
    """Give a device's name as torch spells it.

    Raises
    ------
    TrainingError
        When it is none.
    """
    kind, colon, number = name.strip().lower().partition(":")
    if kind == "gpu":
        apple = torch.backends.mps.is_available() and not torch.cuda.is_available()
        kind = "mps" if apple else "cuda"
    known = _COUNTED if colon else _KINDS
    if kind not in known or number.isdecimal() != bool(colon):
        raise TrainingError(
            f"no device {name!r}; there are {', '.join(_KINDS)}, and cuda:1 for the second GPU"
        )
    return f"{kind}{colon}{number}"


def start_fabric(
    device: str, precision: str, *, devices: int = 1, nodes: int = 1, strategy: str = "auto"
) -> Fabric:
    """Choose devices and number format, and start a process for each device.

    With more than one device the program is started again for each (as Lightning Fabric does it),
    unless torchrun or SLURM have done so already: under torchrun its own numbers count.

    Parameters
    ----------
    device : str
        As for `pick_device`.
    precision : str
        As Fabric names it, e.g. "32-true" or "bf16-mixed".
    devices, nodes : int
        Devices on each machine, and machines.
    strategy : str
        "auto" or "ddp": every device holds the whole network and a part of each batch.

    Raises
    ------
    TrainingError
        When that cannot be had here.
    """
    if strategy not in ("auto", "ddp"):
        raise TrainingError(f"no strategy {strategy!r}; there are auto and ddp")
    kind, _, number = _known(device).partition(":")
    _use_own_cores()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if precision == "16-mixed" and pick_device(device).type == "cpu":  # Fabric would take another
        raise TrainingError(
            "precision '16-mixed' is for GPUs, and this is a CPU: take 32-true, or bf16-mixed (--set "
            "training.precision=32-true)"
        )
    many = devices * nodes > 1
    if many and number:
        raise TrainingError(f"device {device!r} names one device, but {devices * nodes} are wanted")
    try:
        fabric = Fabric(
            accelerator=kind,
            devices=[int(number)] if number else devices,
            num_nodes=nodes,
            strategy=_ddp() if many or strategy == "ddp" else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        where = f"{devices * nodes} devices {device!r}" if many else f"device {device!r}"
        raise TrainingError(
            f"cannot train on {where} with precision {precision!r}: {error}. Use "
            "--device auto, or cpu."
        ) from error
    fabric.launch()
    if torch.distributed.is_initialized():
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """Leave the other processes in good order, as Fabric does with NCCL alone.

    Threads of gloo that still run when Python ends may abort a process that has done its work.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _ddp() -> DDPStrategy:
    """Set up data-parallel training whose buffers are left alone.

    Queues hold the same on every rank, and norms on GPUs are synchronised. Torch 2.14 gave the
    option another name.
    """
    known = inspect.signature(DistributedDataParallel.__init__).parameters
    option = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    return DDPStrategy(**{option: False})  # type: ignore[arg-type]
