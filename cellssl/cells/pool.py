"""Many fields on many processes: bounded in memory, and no worse for the death of one."""

import logging
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import Pipe, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait as wait_for
from typing import Any, Self, TypeVar

from cellssl.errors import CropError

Task = TypeVar("Task")
Result = TypeVar("Result")
# Does work on tasks, and gives each with its result, in whatever order; see `Workers.spread`.
Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[Any, Any]]]

_LOG = logging.getLogger(__name__)
_NONE_STARTS = 3  # so many tasks given up and none done: it is not the tasks
_UNGUARDED = (
    "worker processes do not start. In a script, workers import the script anew: put the call under "
    "`if __name__ == '__main__':`, or take one worker. If it is guarded, they ran out of memory: take fewer."
)
_TYPED = (
    "workers import the program anew, and this one comes from standard input: put it into a file, with the call under "
    "`if __name__ == '__main__':`, or take one worker"
)
_REFUSED = (
    "the system starts no worker processes ({error}): take one worker (--workers 1), or raise its limits of open "
    "files, processes, memory and /dev/shm"
)
_WAKES = 0.5  # seconds, after which a Ctrl-C that is held back is let through
_CHANCES = 2  # a task alone in the pool that kills its worker this often is given up


class Died:
    """The result of a task that killed every worker it was given to."""


class Workers:
    """Processes that do tasks: started for the first of them, kept until the end of the block.

    Parameters
    ----------
    number : int
        Processes; 1 works in this one. They are spawned, not forked: libraries with threads do not
        survive a fork.

    Attributes
    ----------
    number : int
        As given.

    Examples
    --------
    >>> with Workers(1) as workers:
    ...     list(workers.spread(abs, [-1, 2]))
    [(-1, 1), (2, 2)]
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._pool: ProcessPoolExecutor | None = None
        self._leash: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is KeyboardInterrupt and self._leash is not None:
            self._leash.close()  # nobody waits for fields that are half done
        self._stop()

    def spread(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result | Died]]:
        """Do tasks and give the results as they come.

        At most two tasks a worker are on their way. When a worker dies (out of memory, killed), all
        are lost with the tasks on their way; these are done again *one at a time*, so that the one at
        fault is known and no other is blamed. An exception of `work` is raised here.

        Parameters
        ----------
        work : callable
            Importable by name.
        tasks : sequence
            Picklable; each is asked for when its turn comes.
        """
        if min(self.number, len(tasks)) <= 1:
            for task in tasks:
                yield task, work(task)
            return
        if parent_process() is not None:
            raise CropError(_UNGUARDED)
        if getattr(sys.modules["__main__"], "__file__", None) == "<stdin>":
            raise CropError(_TYPED)
        waiting, suspects = deque(range(len(tasks))), deque[int]()
        deaths: Counter[int] = Counter()
        given_up = 0
        while waiting or suspects:
            if suspects:
                lost = yield from self._until_death(work, tasks, suspects, ahead=1)
                deaths.update(lost)
                hopeless = [number for number in lost if deaths[number] >= _CHANCES]
                given_up += len(hopeless)
                if given_up >= _NONE_STARTS and given_up + len(waiting) + len(suspects) == len(
                    tasks
                ):
                    raise CropError(_UNGUARDED)
                yield from ((tasks[number], Died()) for number in hopeless)
                lost = [number for number in lost if deaths[number] < _CHANCES]
            else:
                lost = yield from self._until_death(work, tasks, waiting, ahead=2 * self.number)
            if lost:
                _LOG.warning("a worker process died; doing %d tasks again", len(lost))
            suspects.extend(lost)

    def _until_death(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        queue: deque[int],
        *,
        ahead: int,
    ) -> Generator[tuple[Task, Result | Died], None, list[int]]:
        """Empty a queue of tasks' numbers; give back those on their way when a worker died."""
        running: dict[Future[Result], tuple[int, Task]] = {}
        try:
            while queue or running:
                while queue and len(running) < ahead:
                    task = tasks[queue[0]]
                    future = self._submit(work, task)
                    running[future] = (queue.popleft(), task)
                with _ctrl_c_held_back():
                    done = wait(running, timeout=_WAKES, return_when=FIRST_COMPLETED).done
                for future in done:
                    result = future.result()
                    yield running.pop(future)[1], result
        except BrokenProcessPool:
            self._stop()
            return [number for number, _ in running.values()]
        return []

    def _submit(self, work: Callable[[Task], Result], task: Task) -> Future[Result]:
        """Hand a task over, and start a process for it where there are too few."""
        try:
            self._pool = self._pool or self._start()
            with _ctrl_c_held_back():
                return self._pool.submit(work, task)
        except BrokenProcessPool:
            raise
        except (OSError, RuntimeError) as error:  # as a thread is refused
            if self._leash is not None:
                self._leash.close()
            self._pool = None  # half started, it cannot be shut down
            raise CropError(_REFUSED.format(error=error)) from error

    def _start(self) -> ProcessPoolExecutor:
        """Make the processes, which end with this one, or as soon as it lets go of their leash."""
        held, self._leash = Pipe(duplex=False)
        if hasattr(signal, "pthread_sigmask"):  # Windows has neither it nor a tracker
            with _blocked(signal.SIGHUP):  # by which a closed terminal would end it
                resource_tracker.ensure_running()  # its own start lifts a block of SIGINT: not within one
        return ProcessPoolExecutor(
            self.number,
            mp_context=get_context("spawn"),
            initializer=_stay_on,
            initargs=(held,),
        )

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let Ctrl-C through at the end of the block only.

    Anywhere in it, it would leave a future's lock taken, for which the pool's shutdown waits for ever.
    Processes that are started here never hear it, not even before they can ignore it.
    """
    if threading.current_thread() is not threading.main_thread():  # no other is told of it
        with _blocked(signal.SIGINT):
            yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with _blocked(signal.SIGINT):
            yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _blocked(number: signal.Signals) -> Iterator[None]:
    """Keep a signal from this thread, and from processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stay_on(leash: Connection) -> None:
    """End this worker when its parent lets go of the leash, as one does that is killed.

    Ctrl-C, and SIGHUP, which a terminal sends to all, are left to the parent.
    """
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no second one
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def watch() -> None:
        wait_for([leash])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
