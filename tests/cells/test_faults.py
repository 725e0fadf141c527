"""What goes wrong on real plates, and must not cost a good field."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellssl.cells import ThresholdSegmenter, assembly, cropping, folder, job
from cellssl.errors import CellsslError, CropError
from cellssl.files import locked, sha256
from cellssl.plates import FieldError, PlateIndex

from .examples import run

SLOW_CROP = """
import sys, time
from cellssl.cells import ThresholdSegmenter, crop
from cellssl.plates import PlateIndex

class Slow(ThresholdSegmenter):
    def segment(self, field, channels):
        time.sleep(0.15)
        return super().segment(field, channels)

if __name__ == "__main__":
    plate, out, workers = sys.argv[1:]
    crop(PlateIndex.load(plate), out, segmenter=Slow(), size=32, workers=int(workers), progress=False)
"""


def break_truncated(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def break_empty(path: Path) -> None:
    path.write_bytes(b"")


def break_text(path: Path) -> None:
    path.write_text("not an image")


def break_vanished(path: Path) -> None:
    path.unlink()


def break_type(path: Path) -> None:
    for channel in ("GFP", "DNA"):
        path = path.with_name(path.name.replace("DNA", channel).replace("GFP", channel))
        tifffile.imwrite(path, tifffile.imread(path).astype(np.uint8))


def break_type_of_one(path: Path) -> None:
    tifffile.imwrite(path, tifffile.imread(path).astype(np.uint8))


def break_size(path: Path) -> None:
    for channel in ("GFP", "DNA"):
        path = path.with_name(path.name.replace("DNA", channel).replace("GFP", channel))
        tifffile.imwrite(path, np.pad(tifffile.imread(path), 8))


def break_nan(path: Path) -> None:
    for channel in ("GFP", "DNA"):
        path = path.with_name(path.name.replace("DNA", channel).replace("GFP", channel))
        tifffile.imwrite(path, np.full((96, 96), np.nan, np.float32))


def break_pages(path: Path) -> None:
    tifffile.imwrite(path, np.stack([tifffile.imread(path)] * 3), photometric="minisblack")


def break_colour(path: Path) -> None:
    tifffile.imwrite(path, np.stack([tifffile.imread(path)] * 3, axis=-1), photometric="rgb")


def break_mask(path: Path) -> None:
    for channel in ("DNA", "GFP"):
        other = path.with_name(path.name.replace("DNA", channel))
        tifffile.imwrite(other, tifffile.imread(other) > 500)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_truncated, "truncated"),
        (break_empty, "empty"),
        (break_text, "A02_DNA.tif"),
        (break_vanished, "A02_DNA.tif"),
        (break_type, "its pixels are uint8, those of most fields uint16"),
        (break_type_of_one, "its pixels are uint16 and uint8, those of most fields uint16"),
        (break_size, "112 × 112 pixels, most fields of its plate are 96 × 96"),
        (break_nan, "no finite numbers"),
        (break_mask, "holds black and white alone; wanted grey values"),
        (break_pages, "holds 3 pages"),
        (break_colour, "colour"),
    ],
)
def test_a_bad_field_is_set_aside_and_the_others_finish(
    make_plate, tmp_path, caplog, damage, words
):
    index = make_plate(4)
    damage(Path(index.fields["Path_DNA"][1]))
    report = run(index, tmp_path / "out")
    assert report.fields["kept"].tolist() == [4, 0, 4, 4]
    assert words in report.problems["Problem"].item()
    assert report.problems["Metadata_Well"].item() == "A02"
    assert "1 field left out" in report.summary()
    assert "left out" in caplog.text
    assert report.problems["Problem"].item() in caplog.text
    assert "no field of 1 well could be used (P1/A02): see fields.csv" in caplog.text


@pytest.mark.parametrize(
    "how", [{"compression": "lzw"}, {"compression": "zlib"}, {"bigtiff": True}, {"tile": (16, 16)}]
)
def test_every_kind_of_tiff_gives_the_same_cells(make_plate, tmp_path, how):
    index = make_plate(2)
    expected = run(index, tmp_path / "plain")
    for name in ("Path_DNA", "Path_GFP"):
        for path in index.fields[name]:
            tifffile.imwrite(path, tifffile.imread(path), **how)
    assert sha256(run(index, tmp_path / "out").crops) == sha256(expected.crops)


def test_a_file_that_vanishes_meanwhile_is_named(make_plate, tmp_path):
    index = make_plate(4)
    victim = Path(index.fields["Path_GFP"][3])

    class Thief(ThresholdSegmenter):
        def segment(self, field, channels):
            victim.unlink(missing_ok=True)
            return super().segment(field, channels)

    report = run(index, tmp_path / "out", segmenter=Thief())
    assert report.fields["kept"].tolist() == [4, 4, 4, 0]
    assert "A04_GFP.tif is not there" in report.problems["Problem"].item()


def test_what_may_pass_is_tried_again(make_plate, tmp_path, monkeypatch):
    monkeypatch.setattr(job, "_PAUSE", 0)
    failures = iter([OSError(5, "Input/output error"), OSError(110, "timed out")])
    original = job.read_planes

    def shaky(*arguments):
        if (error := next(failures, None)) is not None:
            raise FieldError("the network drive") from error
        return original(*arguments)

    monkeypatch.setattr(job, "read_planes", shaky)
    assert run(make_plate(2), tmp_path / "out").kept == 8


def test_a_full_disk_keeps_what_is_done(make_plate, tmp_path):
    """A file system of its own that is too small; where none can be mounted, the test cannot be."""
    index, small = make_plate(24), tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(CropError, match=r"No space left on device.*same command again"):
            run(index, small / "out")
        done = len(list((small / "out" / "parts").glob("[!.]*.npz")))
        assert done > 0
        assert not (small / "out" / "crops.h5ad").exists()
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        assert run(index, small / "out").kept == 96
    finally:
        subprocess.run(["umount", str(small)], check=True)


FULL_DISK = """
import sys
from cellssl.cells import crop
from cellssl.cells.folder import CropFolder
from cellssl.errors import CropError
from cellssl.plates import PlateIndex

if __name__ == "__main__":
    CropFolder.require_room = lambda *_: None  # that another program takes meanwhile
    try:
        crop(PlateIndex.load(sys.argv[1]), sys.argv[2], size=32, workers=int(sys.argv[3]), progress=False)
    except CropError as error:
        print(error)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_while_crops_are_put_together_ends_no_process(
    make_plate, tmp_path, workers
):
    index, small = make_plate(24), tmp_path / "small"
    index.save(tmp_path / "plate.csv")
    script = tmp_path / "full.py"
    script.write_text(FULL_DISK)
    run(index, tmp_path / "out", size=32)
    whole = (tmp_path / "out" / "crops.h5ad").stat().st_size
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={4 * whole}", "tmpfs", str(small)]
    if os.name != "posix" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        command = [sys.executable, script, tmp_path / "plate.csv", small / "out", str(workers)]
        for share in (0.9, 1.3, 1.6):  # where less than 1 MiB is left, nothing is begun
            size = f"remount,size={2**20 + int(share * whole)}"
            subprocess.run(["mount", "-o", size, str(small)], check=True)
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "No space left on device" in said
            assert "give the same command again" in said
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_too_little_room_for_the_crops_is_said_before(make_plate, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CropError, match="All fields are done and kept: make room"):
        run(make_plate(2), tmp_path / "out")
    monkeypatch.undo()
    assert run(make_plate(2), tmp_path / "out").kept == 8


KILLED_CROP = """
import sys, time
from pathlib import Path
from cellssl.cells import ThresholdSegmenter, crop
from cellssl.crops import writer
from cellssl.plates import PlateIndex

class Slow(ThresholdSegmenter):
    def segment(self, field, channels):
        time.sleep(0.15)
        return super().segment(field, channels)

original = writer._append

def slow_append(*arguments):
    time.sleep(0.02)
    original(*arguments)

if __name__ == "__main__":
    writer._append = slow_append
    plate, out, mark = sys.argv[1:]
    index = PlateIndex.load(plate)
    Path(mark).touch()
    crop(index, out, segmenter=Slow(), size=32, progress=False)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments(make_plate, tmp_path, kills):
    """After each kill the state is looked at: fields must have been hit half way, and the assembly."""
    saved = make_plate(30).save(tmp_path / "plate.csv")
    expected = run(PlateIndex.load(saved), tmp_path / "undisturbed")
    out, mark, random = tmp_path / "out", tmp_path / "mark", np.random.default_rng(kills)
    (tmp_path / "killed.py").write_text(KILLED_CROP)
    command = [sys.executable, str(tmp_path / "killed.py"), str(saved), str(out), str(mark)]

    def killed_when(ready):
        mark.unlink(missing_ok=True)
        process = subprocess.Popen(command)
        while not mark.exists() or not ready():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.kill()
        process.wait()
        return len(list(out.glob("parts/[!.]*.npz")))

    def some_are_done():
        return any(out.glob("parts/[!.]*.npz"))

    done = []
    for _ in range(kills - 2):
        wait = random.uniform(0, 2 * 30 * 0.15 / kills)
        done.append(killed_when(lambda wait=wait: time.time() - mark.stat().st_mtime > wait))
    done.append(killed_when(some_are_done))  # however slow the machine is
    assert any(0 < number < 30 for number in done), done
    assert killed_when(lambda: any(out.glob(".crops.h5ad.*"))) == 30
    assert not (out / "crops.h5ad").exists()
    report = run(PlateIndex.load(saved), out)
    assert sha256(report.crops) == sha256(expected.crops)
    assert report.summary() == expected.summary()
    assert not (out / "parts").exists()


def test_a_repaired_field_is_done_next_time(make_plate, tmp_path):
    index = make_plate(3)
    path = Path(index.fields["Path_DNA"][1])
    whole = path.read_bytes()
    break_truncated(path)
    assert run(index, tmp_path / "out").kept == 8
    path.write_bytes(whole)
    assert run(index, tmp_path / "out").kept == 12


def test_a_killed_worker_loses_nothing(make_plate, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from deadly import KilledOnce

    index = make_plate(5)
    expected = run(index, tmp_path / "undisturbed")
    segmenter = KilledOnce(str(tmp_path / "flag"))
    report = run(index, tmp_path / "out", segmenter=segmenter, workers=2)
    assert (tmp_path / "flag").exists()
    assert sha256(report.crops) == sha256(expected.crops)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_and_called_again(make_plate, tmp_path, monkeypatch, workers):
    saved = make_plate(10).save(tmp_path / "plate.csv")
    expected = run(PlateIndex.load(saved), tmp_path / "undisturbed")
    out = tmp_path / "out"
    (tmp_path / "slow.py").write_text(SLOW_CROP)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow.py"), str(saved), str(out), str(workers)]
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("parts/[!.]*.npz"))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "crops.h5ad").exists()
    (out / ".crops.h5ad.left.h5ad").write_bytes(b"half")  # what a kill while assembling leaves
    done = len(list(out.glob("parts/[!.]*.npz")))
    calls = []
    original = cropping.cut_field
    monkeypatch.setattr(cropping, "cut_field", lambda task: calls.append(task) or original(task))
    report = run(PlateIndex.load(saved), out)
    assert len(calls) <= 10 - done
    assert sha256(report.crops) == sha256(expected.crops)
    assert sorted(path.name for path in out.iterdir()) == [
        ".lock",
        "crop.json",
        "crops.h5ad",
        "dropped.csv",
        "fields.csv",
        "illumination.npz",
    ]


@pytest.mark.parametrize("last", ["keep_remarks", "forget_parts"])
def test_remarks_outlive_a_kill_when_the_crops_are_there(make_plate, tmp_path, monkeypatch, last):
    index = make_plate(2)
    with monkeypatch.context() as patched:
        patched.setattr(folder.CropFolder, last, raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(index, tmp_path / "out", size=16)
    remark, *_ = run(index, tmp_path / "out", size=16).remarks
    assert "cells are cut off" in remark


def test_a_bar_goes_through_the_finished_fields(make_plate, tmp_path, monkeypatch):
    index, bars = make_plate(2), {}

    def track(items, description, *, total=None, shown):
        bars[description] = (len(listed := list(items)), shown)
        return listed

    for module in (cropping, assembly):
        monkeypatch.setattr(module, "track", track)
    with monkeypatch.context() as patched:
        patched.setattr(folder.CropFolder, "require_room", raise_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(index, tmp_path / "out", progress=True)
    assert bars == {"looking at finished fields": (0, False), "cropping": (2, True)}
    run(index, tmp_path / "out", progress=True)
    assert bars == {
        "looking at finished fields": (2, True),
        "cropping": (0, True),
        "surveying": (2, True),
        "putting together": (2, True),
    }


def raise_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_workers_end_with_their_parent(make_plate, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW_CROP)
    saved = make_plate(40).save(tmp_path / "plate.csv")
    out = tmp_path / "out"
    command = [sys.executable, str(tmp_path / "slow.py"), str(saved), str(out), "2"]
    process = subprocess.Popen(command)
    while not list(out.glob("parts/[!.]*.npz")):
        assert process.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not list the children of a process")
    workers = [int(number) for number in children.read_text().split()]
    assert workers
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while any(_alive(worker) for worker in workers):
        assert time.monotonic() < deadline, "orphaned workers"
        time.sleep(0.05)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_parts_damaged_by_a_power_cut_are_made_again(make_plate, tmp_path, monkeypatch):
    index, out = make_plate(4), tmp_path / "out"
    expected = run(index, tmp_path / "undisturbed")
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CropError, match="make room"):
        run(index, out)
    monkeypatch.undo()
    short, zeros, *_ = sorted((out / "parts").glob("*.npz"))
    short.write_bytes(short.read_bytes()[:1000])
    whole = zeros.read_bytes()
    zeros.write_bytes(whole[:2000] + bytes(4096) + whole[6096:])
    report = run(index, out)
    assert sha256(report.crops) == sha256(expected.crops)


def test_another_plate_is_refused_and_a_foreign_record_too(make_plate, tmp_path):
    out = tmp_path / "out"
    first = run(make_plate(2), out)
    with pytest.raises(CropError, match=r"cells of other plates \(P1\).*crops join"):
        run(make_plate(2, plate="P2"), out)
    assert first.crops.exists()
    (out / "crop.json").write_text("[]")
    with pytest.raises(CropError, match="was not written by this version"):
        run(make_plate(2), out)


def test_a_field_named_twice_is_said_before_any_work(make_plate, tmp_path):
    index = make_plate(2)
    twice = index.fields.iloc[[0, 0, 1]].reset_index(drop=True)
    with pytest.raises(CropError, match="P1/A01/1"):
        run(PlateIndex(twice, index.channels, index.problems, 0), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tiny_field_costs_nobody_else(make_plate, tmp_path):
    index = make_plate(18)
    for name in ("Path_DNA", "Path_GFP"):
        tifffile.imwrite(index.fields[name][4], np.zeros((24, 24), np.uint16))
    report = run(index, tmp_path / "out")
    assert len(report.problems) == 1
    assert report.kept == 17 * 4


def test_reasons_to_keep_may_change_while_fields_are_cut(make_plate, tmp_path, monkeypatch):
    index, out = make_plate(3), tmp_path / "out"
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CropError, match="make room"):
        run(index, out)
    monkeypatch.undo()
    assert run(index, out, keep=["blurred"]).kept == 12
    with pytest.raises(CropError, match="keep"):
        run(index, out)


def test_two_processes_on_one_folder(make_plate, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    index = make_plate(2)
    with locked(out), pytest.raises(CellsslError, match="another process is working on"):
        run(index, out)
    assert run(index, out).kept == 8


MEASURED_CROP = """
import resource, sys
from pathlib import Path
import numpy as np
import pandas as pd
from cellssl.cells import crop
from cellssl.plates import PlateIndex

if __name__ == "__main__":
    plate, out, number = PlateIndex.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rows = plate.fields.iloc[np.arange(number) % len(plate.fields)].reset_index(drop=True)
    rows["Metadata_Site"] = rows.index.astype(str)
    many = PlateIndex(rows, plate.channels, plate.problems, 0)
    kept = crop(many, out, size=32, progress=False).kept
    print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.parametrize(
    ("few", "many"), [(96, 480), pytest.param(96, 9600, marks=pytest.mark.slow)]
)
def test_memory_does_not_grow_with_the_plate(make_plate, tmp_path, few, many):
    saved = make_plate(24).save(tmp_path / "plate.csv")
    (tmp_path / "measured.py").write_text(MEASURED_CROP)

    def peak(number):
        command = [sys.executable, str(tmp_path / "measured.py"), str(saved)]
        command += [str(tmp_path / f"out{number}"), str(number)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        assert int(told[0]) == 4 * number
        return float(told[1])

    small, large = peak(few), peak(many)
    assert large < 1.3 * small, f"{few} fields: {small:.0f} MB; {many} fields: {large:.0f} MB"
