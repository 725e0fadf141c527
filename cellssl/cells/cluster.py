"""Many fields on the workers of a Dask cluster, on as many machines as it has."""

import importlib
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from cellssl.cells.pool import Died
from cellssl.errors import CropError

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 3  # tasks on their way for each thread of the cluster
_TIMEOUT = "30s"  # for the scheduler to answer


def spread_on(
    scheduler: str, work: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[tuple[Task, Result | Died]]:
    """Do tasks on a cluster and give the results as they come.

    A bounded number is on its way, so that a screen of any length asks no more of the scheduler
    than a short one. What a lost worker had is done again by another; a task that took several
    workers with it (Dask's ``allowed-failures``) is given up. An exception of `work` is raised here.

    Parameters
    ----------
    scheduler : str
        Address of a Dask scheduler: ``tcp://host:8786``.
    work, tasks
        As `cellssl.cells.pool.Workers` take them. Workers need cellssl, and must see the same files
        under the same paths.

    Raises
    ------
    CropError
        When it is no address, no scheduler answers, or it has no workers.
    """
    distributed = importlib.import_module("distributed")
    _check_address(scheduler)
    try:
        client = distributed.Client(scheduler, timeout=_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise CropError(
            f"no Dask scheduler answers at {scheduler} ({error}); start one with `dask scheduler`, and "
            f"workers with `dask worker {scheduler}`"
        ) from error
    with client, client.as_current():
        try:
            client.wait_for_workers(1, timeout=_TIMEOUT)
        except TimeoutError as error:
            raise CropError(
                f"the Dask scheduler at {scheduler} has no workers; start some with "
                f"`dask worker {scheduler}`"
            ) from error
        try:
            yield from _spread(client, distributed, work, iter(tasks))
        except (distributed.comm.CommClosedError, CancelledError) as error:
            raise CropError(
                f"the Dask scheduler at {scheduler} is gone ({error or type(error).__name__}). What is "
                "finished is kept: start it again and give the same command"
            ) from error


def _check_address(scheduler: str) -> None:
    """Refuse what names no host and port: Dask would try it for a minute, and fall over it."""
    comm = importlib.import_module("distributed.comm")
    try:
        kind, place = comm.parse_address(scheduler)
        if kind in ("tcp", "tls"):
            comm.parse_host_port(place)
    except ValueError as error:
        raise CropError(
            f"{scheduler} is no address of a Dask scheduler ({error}): wanted one such as tcp://HOST:8786, which "
            "`dask scheduler` says when it starts"
        ) from error


def _spread(
    client: Any, distributed: Any, work: Callable[[Task], Result], tasks: Iterator[Task]
) -> Iterator[tuple[Task, Result | Died]]:
    running: dict[Any, Task] = {}
    done = distributed.as_completed(with_results=False, raise_errors=False)
    while True:
        ahead = _AHEAD * max(sum(client.nthreads().values()), 1)
        for task in islice(tasks, max(ahead - len(running), 0)):
            future = client.submit(work, task, pure=False)
            running[future] = task
            done.add(future)
        if not running:
            return
        future = next(done)
        task = running.pop(future)
        error = future.exception()
        if isinstance(error, distributed.scheduler.KilledWorker):
            yield task, Died()
        elif error is not None:
            raise error
        else:
            yield task, future.result()
        future.release()
