import pytest

from cellssl.cells import CellposeSegmenter, LabelImages, ThresholdSegmenter
from cellssl.cli.plate_options import Cutting, Segmentation
from cellssl.errors import CellsslError


def test_options_make_the_segmenter_they_ask_for():
    assert Segmentation().build() == ThresholdSegmenter()
    assert Segmentation(nucleus="A", diameter=9, cells=True).build() == ThresholdSegmenter(
        "A", 9, cells=True
    )
    assert Segmentation("cellpose", "cyto3", diameter=9).build() == CellposeSegmenter(
        "cyto3", diameter=9
    )
    expected = LabelImages("masks/{well}.tif", "cells/{well}.tif", "DNA")
    given = {"labels": "masks/{well}.tif", "cell_labels": "cells/{well}.tif", "nucleus": "DNA"}
    assert Segmentation("labels", **given).build() == expected
    assert Segmentation(**given).build() == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"segmenter": "stardist"}, "threshold, cellpose, labels"),
        ({"cellpose_model": "cyto"}, "goes with --segmenter cellpose"),
        ({"segmenter": "cellpose", "labels": "masks"}, "go with --segmenter labels"),
        ({"cell_labels": "masks"}, "stands beside --labels, .* give both"),
        ({"segmenter": "labels"}, "needs --labels"),
        ({"labels": "masks", "cells": True}, "no --cells"),
        ({"labels": "masks", "diameter": 9.0}, "no --diameter"),
    ],
)
def test_options_that_would_be_ignored_are_refused(options, said):
    with pytest.raises(CellsslError, match=said):
        Segmentation(**options).build()


@pytest.mark.parametrize(
    ("cores", "options", "segmenter", "workers"),
    [
        (3, Cutting(), ThresholdSegmenter(), 3),
        (64, Cutting(), ThresholdSegmenter(), 8),
        (64, Cutting(workers=20), ThresholdSegmenter(), 20),
        (64, Cutting(), CellposeSegmenter(), 1),
        (64, Cutting(workers=2), CellposeSegmenter(), 2),
        (64, Cutting(scheduler="tcp://host:8786"), ThresholdSegmenter(), 1),
    ],
)
def test_cutting_takes_the_cores_that_are_there(monkeypatch, cores, options, segmenter, workers):
    monkeypatch.setattr("dask.system.CPU_COUNT", cores)
    assert options.arguments(segmenter)["workers"] == workers
