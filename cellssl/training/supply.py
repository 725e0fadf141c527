"""The images of each step: gathered on the device, or read ahead from the disk."""

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from cellssl.datasets import Source
from cellssl.errors import TrainingError
from cellssl.training.partners import Partners
from cellssl.training.schedule import Plan, epoch_order

_AHEAD = 3  # steps that are read before they are needed


@dataclass(frozen=True)
class Batch:
    """What the views of a batch are made from.

    Attributes
    ----------
    index : Tensor
        (B,) int64 positions in the source.
    images : Tensor
        (B, C, S, S) in [0, 1].
    samples : Tensor
        (B,) int64: the images' stable numbers.
    others : dict of str to Tensor
        What else there is: "masks" (B, M, S, S) where the source has some, "partners" (as images) and
        "partner_masks" where second views show other cells.
    """

    index: Tensor
    images: Tensor
    samples: Tensor
    others: dict[str, Tensor]


@dataclass
class Supply(ABC):
    """Knows which images come when; what changes from step to step is written in place.

    Attributes
    ----------
    source, partners, plan
        Images, which other image each second view shows, and how many go into a step.
    seed : int
        Decides order and partners.
    rank, ranks : int
        Which part of each batch this device has.
    index : Tensor
        (accumulate, batch / ranks) int64 positions of the step's images, on the device.
    epoch : Tensor
        0-d int64, on the device.
    """

    source: Source
    partners: Partners | None
    plan: Plan
    _: KW_ONLY
    seed: int
    rank: int = 0
    ranks: int = 1

    def __post_init__(self) -> None:
        own, device = self.plan.batch // self.ranks, self.source.samples.device
        self._own = slice(self.rank * own, (self.rank + 1) * own)
        self.index = torch.zeros(self.plan.accumulate, own, dtype=torch.long, device=device)
        self.epoch = torch.zeros((), dtype=torch.long, device=device)
        self._order: tuple[int, Tensor] | None = None

    def turn_to(self, step: int) -> None:
        """Make `step` (from 0) the one that `give` speaks of."""
        self.epoch.fill_(step // self.plan.steps)

    @abstractmethod
    def give(self, part: int) -> Batch:
        """Give the step's batch number `part`. Waits for nothing."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what was read ahead."""

    def _positions(self, step: int, device: torch.device | str) -> Tensor:
        """Look up a step's images, (accumulate, batch / ranks); an epoch's order is made once."""
        epoch, within = divmod(step, self.plan.steps)
        if self._order is None or self._order[0] != epoch:
            order = epoch_order(self.seed, epoch, self.plan)[..., self._own].contiguous()
            self._order = epoch, order.to(device)
        return self._order[1][within]


class MemorySupply(Supply):
    """Gathers from images that lie on the device."""

    def turn_to(self, step: int) -> None:
        """Make `step` the one that `give` speaks of."""
        super().turn_to(step)
        self.index.copy_(self._positions(step, self.index.device))

    def give(self, part: int) -> Batch:
        """Give the step's batch number `part`, gathered on the device."""
        index, source = self.index[part], self.source
        images, samples = source.gather(index), source.samples[index]
        others = {"masks": source.gather_masks(index)}
        if self.partners is not None:
            other = self.partners.draw(index, samples=samples, seed=self.seed, epoch=self.epoch)
            others["partners"] = source.gather(other)
            others["partner_masks"] = source.gather_masks(other)
        return Batch(index, images, samples, _there(others))


class DiskSupply(Supply):
    """Reads ahead, in a thread, and copies each step's pixels into buffers on the device."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._samples = self.source.samples.cpu()
        self._reader = ThreadPoolExecutor(1, "read-ahead")
        self._coming: deque[tuple[int, Future[dict[str, Tensor]]]] = deque()
        self._buffers: dict[str, Tensor] = {"index": self.index}

    def turn_to(self, step: int) -> None:
        """Make `step` the one that `give` speaks of, and have the next ones read.

        Raises
        ------
        TrainingError
            When the images cannot be read any more.
        """
        super().turn_to(step)
        if self._coming and self._coming[0][0] != step:
            self._coming.clear()
        last = self._coming[-1][0] if self._coming else step - 1
        for later in range(last + 1, min(step + 1 + _AHEAD, self.plan.total)):
            self._coming.append((later, self._reader.submit(self._read, later)))
        try:
            read = self._coming.popleft()[1].result()
        except OSError as error:
            raise TrainingError(
                f"the images of step {step + 1} cannot be read ({error}). Make sure that their file and "
                "its disk are there, and run the same command again: it goes on from the last checkpoint."
            ) from error
        self._fill(read)

    def give(self, part: int) -> Batch:
        """Give the step's batch number `part`, from the buffers."""
        others = {name: buffer[part] for name, buffer in self._buffers.items()}
        index = others.pop("index")
        images = self.source.scaled(others.pop("images"), index)
        if "partners" in others:
            others["partners"] = self.source.scaled(others["partners"], others.pop("places"))
        return Batch(index, images, self.source.samples[index], others)

    def close(self) -> None:
        """Stop reading ahead."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _read(self, step: int) -> dict[str, Tensor]:
        """Read a step's pixels and masks, and its partners' and their places, into host memory."""
        index = self._positions(step, "cpu").flatten()  # in the reading thread alone
        read = {
            "index": index,
            "images": self.source.read(index),
            "masks": self.source.read_masks(index),
        }
        if self.partners is not None:
            samples, epoch = self._samples[index], step // self.plan.steps
            other = self.partners.draw(index, samples=samples, seed=self.seed, epoch=epoch)
            read |= {"partners": self.source.read(other), "places": other}
            read["partner_masks"] = self.source.read_masks(other)
        return _there(read)

    def _fill(self, read: dict[str, Tensor]) -> None:
        """Copy what was read into the buffers, which stay where they are."""
        for name, tensor in read.items():
            parted = tensor.unflatten(0, (self.plan.accumulate, -1))
            if name not in self._buffers:
                self._buffers[name] = torch.empty_like(parted, device=self.index.device)
            self._buffers[name].copy_(parted, non_blocking=True)


def _there(tensors: dict[str, Tensor | None]) -> dict[str, Tensor]:
    """Leave out what a source does not have."""
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def make_supply(
    source: Source,
    partners: Partners | None,
    plan: Plan,
    *,
    seed: int,
    rank: int = 0,
    ranks: int = 1,
) -> Supply:
    """Choose by where the images lie."""
    kind: type[Supply] = MemorySupply if source.in_memory else DiskSupply
    if partners is not None and source.in_memory:
        partners = partners.to(source.samples.device)
    return kind(source, partners, plan, seed=seed, rank=rank, ranks=ranks)
