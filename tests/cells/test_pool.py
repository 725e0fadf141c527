import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cellssl.cells.job import cut_field
from cellssl.cells.pool import Died, Workers
from cellssl.cells.shading import measure_blocks
from cellssl.cells.trials import judge
from cellssl.errors import CropError


@pytest.fixture
def work(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import deadly

    return deadly.work


def spread(work, tasks, *, workers):
    with Workers(workers) as pool:
        yield from pool.spread(work, tasks)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_once(work, workers):
    tasks = [(number, "") for number in range(9)]
    results = dict(spread(work, tasks, workers=workers))
    assert results == {task: task[0] ** 2 for task in tasks}


def test_a_death_loses_nothing(work, tmp_path):
    tasks = [(n, str(tmp_path / "flag") if n == 2 else "") for n in range(8)]
    results = dict(spread(work, tasks, workers=2))
    assert results == {task: task[0] ** 2 for task in tasks}


def test_only_the_task_at_fault_is_given_up(work):
    tasks = [(n, "always" if n == 1 else "") for n in range(6)]
    results = dict(spread(work, tasks, workers=2))
    assert isinstance(results.pop((1, "always")), Died)
    assert results == {task: task[0] ** 2 for task in tasks if task[0] != 1}


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_are_raised(work, workers):
    with pytest.raises(ValueError, match="wrong"):
        list(spread(work, [(0, ""), (1, "error")], workers=workers))


def test_workers_are_kept_for_what_follows(work):
    tasks = [(number, "") for number in range(4)]
    with Workers(2) as workers:
        assert len(list(workers.spread(work, tasks))) == 4
        before = set(workers._pool._processes)
        assert len(list(workers.spread(work, tasks))) == 4
        assert set(workers._pool._processes) == before


def test_a_program_from_standard_input_is_not_begun_by_workers(tmp_path):
    script = (
        "from cellssl.cells.pool import Workers\n"
        "with Workers(2) as workers: list(workers.spread(abs, [1, 2]))"
    )
    command = [sys.executable, "-"]
    said = subprocess.run(command, input=script, capture_output=True, text=True, cwd=tmp_path)
    assert said.stderr.count("Traceback") == 1
    assert "standard input: put it into a file" in said.stderr


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("multiprocessing.synchronize.SemLock.__init__", FileNotFoundError(2, "no /dev/shm")),
        ("multiprocessing.process.BaseProcess.start", BlockingIOError(11, "no more processes")),
        ("threading.Thread.start", RuntimeError("can't start new thread")),
    ],
)
def test_processes_that_the_system_refuses_are_no_want_of_room(work, monkeypatch, what, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(what, refuse)
    with pytest.raises(CropError, match=r"starts no worker processes \(.*: take one worker"):
        list(spread(work, [(0, ""), (1, "")], workers=2))


def test_windows_has_no_tracker_to_start(monkeypatch):
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    monkeypatch.setattr("cellssl.cells.pool.resource_tracker.ensure_running", pytest.fail)
    with Workers(2) as workers:
        assert workers._start()._max_workers == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C is sent otherwise there")
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_ctrl_c_ends_at_once_and_without_a_word_of_workers(tmp_path, name):
    script = tmp_path / "script.py"
    script.write_text(
        # Whoever runs the tests in the background may have them ignore it; SIGHUP is taken as commands take it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))\n"
        "import time\n"
        "from cellssl.cells.pool import Workers\n"
        "if __name__ == '__main__':\n"
        "    with Workers(2) as workers:\n"
        "        for task, _ in workers.spread(time.sleep, [0.1, *[100] * 6]):\n"
        "            print('begun', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, getattr(signal, name))  # as a terminal does: to all of them
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert said.splitlines()[-1] == "KeyboardInterrupt"
    assert said.count("Traceback") == 1  # the parent's own
    assert "died" not in said


_IN_A_LOCK = """
from cellssl.cells import pool
wait = pool.wait
def interrupted(futures, **options):
    lock = next(iter(futures))._condition
    lock.acquire()
    signal.raise_signal(signal.SIGINT)  # as `wait` itself may be interrupted, at the same place
    lock.release()
    return wait(futures, **options)
pool.wait = interrupted
"""


@pytest.mark.parametrize(
    ("before", "then"),
    [
        pytest.param(_IN_A_LOCK, "pass", id="while a lock is taken"),
        pytest.param(
            "import threading",
            "threading.Timer(0.5, signal.raise_signal, [signal.SIGINT]).start()",
            id="taken by another thread",
        ),
    ],
)
def test_ctrl_c_ends_at_once_wherever_it_comes(tmp_path, before, then):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time\n"
        "from cellssl.cells.pool import Workers\n"
        f"{before}\n"
        "if __name__ == '__main__':\n"
        "    with Workers(2) as workers:\n"
        "        for task, _ in workers.spread(time.sleep, [0.1, *[100] * 6]):\n"
        f"            {then}\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_workers_start_without_waiting_for_what_only_tables_need():
    rooms = {work.__module__ for work in (measure_blocks, cut_field, judge)}
    code = (
        f"import sys, {', '.join(sorted(rooms))}\n"
        "print(sorted({'pandas', 'h5py', 'rich', 'anndata', 'torch'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
