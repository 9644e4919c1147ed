"""Training in several processes that torchrun starts: each process computes its rows of every batch.

    torchrun --nproc-per-node 4 -m vrnn_engine train ...

All processes read the same batches and draw the same noise.  Each process computes its own rows, and the gradients are
averaged, so the number of processes does not change the trained model (up to rounding).  On several machines, all
must see the same corpus and the same folder of checkpoints: rank 0 writes the checkpoints, and all ranks read them.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


def is_rank_zero() -> bool:
    """Return whether this process is rank 0, according to the environment; True for a single process.

    Unlike `World.is_rank_zero`, this function works before the processes have joined.
    """
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class World:
    """The processes of a run ("world" as in torch.distributed), seen from one of them.

    Parameters
    ----------
    rank : int
        Number of this process, from 0.
    size : int
        Number of processes.
    device : torch.device
        Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_rank_zero(self) -> bool:
        """Whether this process is rank 0, which validates, saves and reports."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Return this process's share of the rows of a batch.

        Parameters
        ----------
        count : int
            Number of rows of the batch.
        """
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients are averaged over all processes.

        Parameters
        ----------
        module : nn.Module
            The module; it is not changed.  If there is only one process, the module itself is returned.
        """
        if self.size == 1:
            return module
        return nn.parallel.DistributedDataParallel(module)

    def sync_gradients(self, module: nn.Module, last: bool) -> AbstractContextManager[None]:
        """Return a context in which the processes exchange gradients only for the last part of an update.

        Parameters
        ----------
        module : nn.Module
            As `wrap` returned it.
        last : bool
            Whether this is the last part.
        """
        if isinstance(module, nn.parallel.DistributedDataParallel) and not last:
            return module.no_sync()
        return nullcontext()

    def sum(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return [float(value) for value in sums]

    def of_rank_zero(self, value: int) -> int:
        """Return the number that rank 0 has, in all processes."""
        return round(self.sum(float(value) if self.is_rank_zero else 0.0)[0])

    def agreed(self, condition: bool) -> bool:
        """Return the condition as rank 0 sees it, in all processes."""
        return bool(self.of_rank_zero(int(condition)))

    def gather(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes in order, on the CPU.

        Parameters
        ----------
        rows : Tensor
            [B, ...], this process's share.
        """
        if self.size == 1:
            return rows.cpu()
        parts: list[Tensor] = [torch.empty(0)] * self.size
        distributed.all_gather_object(parts, rows.cpu())
        return torch.cat(parts)

    def barrier(self) -> None:
        """Wait until all processes have reached this call."""
        if self.size > 1:
            distributed.barrier()


def default_device() -> torch.device:
    """Return the GPU if PyTorch finds one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def join_world() -> Iterator[World]:
    """Join the processes that torchrun started; without torchrun, this process is the only one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, default_device())
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
