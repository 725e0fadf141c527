"""The C library's allocator."""

import platform

import torch

from cellssl.training.memory import keep_freed_memory


def test_done_where_there_is_glibc_and_harmless() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    for _ in range(3):
        assert torch.ones(2**20).sum().item() == 2**20
