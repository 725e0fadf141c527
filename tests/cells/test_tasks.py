from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellssl.cells import ThresholdSegmenter
from cellssl.cells.job import Job
from cellssl.cells.tasks import Tasks


@pytest.fixture
def tasks(make_plate, tmp_path):
    fields = pd.concat([make_plate(3).fields, make_plate(2, plate="P2").fields], ignore_index=True)
    return Tasks.of(Job(ThresholdSegmenter(), ("GFP", "DNA"), 32, True), fields, tmp_path)


def test_a_task_is_that_of_its_row(tasks):
    assert len(tasks) == 5
    assert tasks.plates == ["P1"] * 3 + ["P2"] * 2
    assert [task.paths[1] for task in tasks] == tasks.fields["Path_DNA"].tolist()
    assert [task.part for task in tasks] == list(tasks.parts)
    assert len(set(tasks.parts)) == 5
    with pytest.raises(IndexError):
        tasks[5]


def test_fewer_of_them(tasks):
    some = tasks[np.array([True, False, False, True, False])]
    assert [task.part for task in some] == [tasks.part(0), tasks.part(3)]
    assert list(tasks[1:3].parts) == [tasks.part(1), tasks.part(2)]


def test_other_light_makes_other_parts_where_it_shines(tasks):
    flat = np.ones((2, 32, 32), np.float32)
    lit = tasks.lit({"P2": flat})
    same = [one == two for one, two in zip(tasks.parts, lit.parts, strict=True)]
    assert same == [True] * 3 + [False] * 2
    assert lit[0].flat is None
    assert lit[4].flat is flat
    assert list(tasks.lit({"P2": 2 * flat}).parts)[3:] != list(lit.parts)[3:]


def test_the_fingerprint_is_that_of_fields_and_files(tasks):
    again = Tasks.of(tasks.job, tasks.fields, tasks.folder)
    assert again.fingerprint() == tasks.fingerprint()
    named = tasks.fields.assign(Metadata_Compound="water")
    assert Tasks.of(tasks.job, named, tasks.folder).fingerprint() != tasks.fingerprint()
    with Path(tasks.fields["Path_DNA"][0]).open("ab") as file:
        file.write(b"more")
    assert Tasks.of(tasks.job, tasks.fields, tasks.folder).fingerprint() != tasks.fingerprint()
