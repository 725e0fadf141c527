"""The C library's allocator."""

import platform
import resource
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from cellssl.training.memory import keep_freed_memory


def test_done_where_there_is_glibc_and_harmless() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    for _ in range(3):
        assert torch.ones(2**20).sum().item() == 2**20


def test_training_does_not_grow(tiny: ModuleType, tmp_path: Path) -> None:
    page = resource.getpagesize()
    sizes: list[int] = []

    def views(*arguments: object) -> tuple[Tensor, ...]:
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)
        return tiny.tiny_views(*arguments)

    settings = tiny.tiny_settings(epochs=12, method="moco")
    tiny.train(tmp_path, settings, views=views, source=tiny.TinySource(cells=400))
    epochs = [max(sizes[start : start + 50]) for start in range(0, len(sizes), 50)]
    assert len(epochs) == 12
    assert epochs[-1] < 1.01 * epochs[1]
