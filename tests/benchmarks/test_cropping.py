"""Fields a second of `crop`, beside the least that any such program does: decode, and one watershed.

What a second worker brings is shown beside what a second core brings to two floors that share
nothing. Goals are printed beside what is measured; what fails is a gross loss of speed.
"""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.segmentation import watershed
from threadpoolctl import threadpool_limits

from cellssl.cells import crop
from cellssl.plates import PlateIndex, index

pytestmark = pytest.mark.bench
FIELDS = 48
FLOOR, SECOND_WORKER = 1.3, 1.8  # goals


def floor(plate: PlateIndex) -> int:
    """Decode every file; find nuclei by Otsu's threshold and a watershed of the distance."""
    found = 0
    for row in plate.fields.to_dict("records"):
        planes = {name: tifffile.imread(row[f"Path_{name}"]) for name in plate.channels}
        smooth = gaussian(planes["DNA"].astype(np.float32), 1)
        mask = smooth > threshold_otsu(smooth)
        distance = ndimage.distance_transform_edt(mask)
        markers = np.zeros(mask.shape, np.int32)
        peaks = peak_local_max(distance, min_distance=7, labels=mask.astype(int))
        markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        found += int(watershed(-distance, markers, mask=mask).max())
    return found


def halves(plate: PlateIndex) -> list[PlateIndex]:
    middle = len(plate.fields) // 2
    return [
        replace(plate, fields=plate.fields[:middle]),
        replace(plate, fields=plate.fields[middle:]),
    ]


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def many(found: PlateIndex, fields: int) -> PlateIndex:
    """Repeat the fields of a plate as if they were other sites."""
    rows = found.fields.iloc[np.arange(fields) % len(found.fields)].reset_index(drop=True)
    return replace(found, fields=rows.assign(Metadata_Site=[str(i) for i in rows.index]))


@pytest.fixture
def sbs(data: Path) -> PlateIndex:
    return index(
        data / "sbs_plate",
        pattern=r"Channel(?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif",
        channels={"1": "GFP", "2": "DNA"},
    )


@pytest.fixture(params=["sbs", "bbbc021"])
def plate(request: pytest.FixtureRequest, data: Path, sbs: PlateIndex) -> PlateIndex:
    """Half of the SBS plate, or BBBC021's two fields many times, their nuclei called DNA."""
    if request.param == "sbs":
        return replace(sbs, fields=sbs.fields[:FIELDS])
    found = index(data / "bbbc021" / "fields", channels={"1": "DNA", "2": "Tubulin", "4": "Actin"})
    return many(found, FIELDS // 2)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_cropping_costs_little_more_than_a_watershed(plate: PlateIndex, tmp_path: Path) -> None:
    name, count = plate.fields["Metadata_Plate"][0], len(plate.fields)
    with threadpool_limits(1):
        crop(replace(plate, fields=plate.fields[:2]), tmp_path / "warm", progress=False)
        least = seconds(lambda: floor(plate))
        one = seconds(lambda: crop(plate, tmp_path / "one", progress=False))
        bare = seconds(lambda: crop(plate, tmp_path / "bare", illumination="none", progress=False))
        again = seconds(lambda: floor(plate))
    two = seconds(lambda: crop(plate, tmp_path / "two", workers=2, progress=False))
    with ProcessPoolExecutor(2, get_context("fork"), threadpool_limits, (1,)) as pool:
        list(pool.map(floor, halves(plate)))  # the processes start
        side_by_side = seconds(lambda: list(pool.map(floor, halves(plate))))
    least = (least + again) / 2
    print(
        f"\n{name}, {count} fields: floor {count / least:.1f} fields/s, cellssl {count / one:.1f} "
        f"({one / least:.2f} × the floor's time, goal {FLOOR}), without illumination {bare / least:.2f} ×, "
        f"two workers {one / two:.2f} × one (goal {SECOND_WORKER}; the floor in two processes that share "
        f"nothing {least / side_by_side:.2f} ×)"
    )
    assert one < 4 * least


def crop_alone(plate: PlateIndex, out: Path) -> None:
    crop(plate, out, progress=False)


@pytest.mark.parametrize("fields", [96, 288, 960])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_second_worker_nearly_halves_the_time(
    sbs: PlateIndex, fields: int, tmp_path: Path
) -> None:
    """One and two workers in turn, twice; and what a second core gives: half a plate each, nothing shared."""
    plate, times = many(sbs, fields), []
    for number in (1, 2, 2, 1):
        out = tmp_path / f"{len(times)}"
        with threadpool_limits(1):
            took = seconds(lambda out=out, by=number: crop(plate, out, workers=by, progress=False))
        times.append(took)
        shutil.rmtree(out)
    with ProcessPoolExecutor(2, get_context("fork"), threadpool_limits, (1,)) as pool:
        outs = [tmp_path / "left", tmp_path / "right"]
        apart = seconds(lambda: list(pool.map(crop_alone, halves(plate), outs)))
    one, two = times[0] + times[3], times[1] + times[2]
    print(
        f"\n{fields} fields: one worker {times[0]:.1f} and {times[3]:.1f} s, two {times[1]:.1f} and "
        f"{times[2]:.1f} s: {one / two:.2f} × one (goal {SECOND_WORKER}); two runs of half each, side by side, "
        f"{apart:.1f} s: {one / 2 / apart:.2f} ×"
    )
    assert two < one
