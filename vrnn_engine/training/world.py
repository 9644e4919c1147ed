"""Training in several processes, as torchrun starts them: each takes its rows of every batch.

    torchrun --nproc-per-node 4 -m vrnn_engine train ...

All processes walk the same batches and draw the same noise, each keeps its own rows, and gradients are
averaged: so however many there are, they train what one would.  On several machines all must see the same
corpus and the same folder of checkpoints: the first writes them, and all read.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


def is_first() -> bool:
    """Whether this is the one process that has a say, before they have joined; alone it is."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class World:
    """The processes of a run, and which one this is."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process validates, saves and reports."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return which of a batch's rows are this process's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Have a module's gradients averaged over all processes."""
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def together(self, module: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Have gradients travel with the last part of an update only."""
        if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
            return module.no_sync()
        return nullcontext()

    def total(self, *values: float) -> list[float]:
        """Return the sums over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return [float(value) for value in sums]

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, on the CPU, in order."""
        if self.size == 1:
            return rows.cpu()
        parts: list[Tensor] = [torch.empty(0)] * self.size
        distributed.all_gather_object(parts, rows.cpu())
        return torch.cat(parts)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def own_device() -> torch.device:
    """Return the GPU of a process that is alone, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def joined_world() -> Iterator[World]:
    """Join the processes that torchrun started with this one; alone, do nothing."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, own_device())
        return
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
