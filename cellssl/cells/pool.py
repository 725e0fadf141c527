"""Many fields on many processes: bounded in memory, and no worse for the death of one."""

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from cellssl.errors import CropError

__all__ = ["Died", "spread"]

Task = TypeVar("Task")
Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)
_NONE_STARTS = 3  # so many tasks given up and none done: it is not the tasks
_UNGUARDED = (
    "worker processes do not start. In a script, workers import the script anew: put the call under "
    "`if __name__ == '__main__':`, or take workers=1."
)
_CHANCES = 2  # a task alone in the pool that kills its worker this often is given up


class Died:
    """The result of a task that killed every worker it was given to."""


def spread(
    work: Callable[[Task], Result], tasks: Sequence[Task], *, workers: int
) -> Iterator[tuple[Task, Result | Died]]:
    """Do tasks on worker processes and give the results as they come.

    At most two tasks a worker are on their way. When a worker dies (out of memory, killed), its
    pool is lost with all tasks on their way; they are done again *one at a time*, so that the one
    at fault is known and no other is blamed. An exception of `work` is raised here.

    Parameters
    ----------
    work : callable
        Importable by name, since workers are spawned, not forked: libraries with threads do not
        survive a fork.
    tasks : sequence
        Picklable.
    workers : int
        Processes; 1 works in this one.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        for task in tasks:
            yield task, work(task)
        return
    if parent_process() is not None:
        raise CropError(_UNGUARDED)
    waiting = deque(tasks)
    suspects: deque[Task] = deque()
    deaths: Counter[int] = Counter()
    before = len(tasks)
    given_up = 0
    while waiting or suspects:
        if suspects:
            lost = yield from _until_death(work, suspects, workers=1, ahead=1)
            deaths.update(id(task) for task in lost)
            hopeless = [task for task in lost if deaths[id(task)] >= _CHANCES]
            given_up += len(hopeless)
            if given_up >= _NONE_STARTS and given_up + len(waiting) + len(suspects) == before:
                raise CropError(_UNGUARDED)
            yield from ((task, Died()) for task in hopeless)
            lost = [task for task in lost if deaths[id(task)] < _CHANCES]
        else:
            lost = yield from _until_death(work, waiting, workers=workers, ahead=2 * workers)
        if lost:
            _LOG.warning("a worker process died; doing %d tasks again", len(lost))
        suspects.extend(lost)


def _until_death(
    work: Callable[[Task], Result], queue: deque[Task], *, workers: int, ahead: int
) -> Generator[tuple[Task, Result | Died], None, list[Task]]:
    """Empty a queue through one pool; give back the tasks that were on their way when it broke."""
    running: dict[Future[Result], Task] = {}
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_watch_parent) as pool:
        try:
            while queue or running:
                while queue and len(running) < ahead:
                    running[pool.submit(work, queue[0])] = queue[0]
                    queue.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    yield running.pop(future), result
        except BrokenProcessPool:
            return list(running.values())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return []


def _watch_parent() -> None:
    """End this worker when its parent is gone: a killed parent cannot tell it to."""

    def watch(sentinel: int) -> None:
        wait_for([sentinel])
        os._exit(1)

    parent = parent_process()
    if parent is not None:
        threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()
