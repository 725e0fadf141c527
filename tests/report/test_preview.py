"""A protocol's preview: cells of different labels in rows, operations in columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import cellssl
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import CellsslError, EmbeddingError, ProtocolError
from cellssl.protocols import Protocol, loads
from cellssl.report import PreviewGroup, preview, preview_figure
from cellssl.report.figures.preview import _pack

LABELS = ("none", "bright", "dim")


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Thirty cells of three labels, with a nucleus and a neighbour in the mask."""
    kind = np.arange(30) % 3
    images = np.random.default_rng(0).integers(100, 900, (30, 2, 24, 24)).astype(np.uint16)
    images += (kind * 300).astype(np.uint16)[:, None, None, None]
    masks = np.zeros((30, 1, 24, 24), np.uint8)
    masks[:, :, 8:16, 8:16], masks[:, :, :4, :4] = 1, 2
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": [f"A{i + 1:02}" for i in range(30)],
            "Metadata_MOA": [LABELS[k] for k in kind],
            "Metadata_Control": np.where(kind == 0, "negative", ""),
        },
        index=[f"P1/A{i + 1:02}/1/{i}" for i in range(30)],
    )
    path = tmp_path_factory.mktemp("preview") / "crops.h5ad"
    batch = CropBatch(images=images, masks=masks, obs=obs)
    return Crops.open(write_crops(path, [batch], channels=["DNA", "GFP"], size=24, provenance={}))


def protocol(views: str, name: str = "mine", channels: str = "[DNA, GFP]") -> Protocol:
    return loads(f"name: {name}\nchannels: {channels}\ncrop: {{size: 16}}\nviews: {views}\n")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def rows(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def picture(figure: Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].images[0].get_array())


def test_rows_are_labels_with_the_control_first(crops: Crops) -> None:
    figure = preview(protocol("[[flip: {}]]"), crops, cells=3)
    assert rows(figure) == ["none", "bright", "dim"]
    assert rows(preview(protocol("[[flip: {}]]"), crops, cells=6)) == [
        *("none", "none"),
        *("bright", "bright"),
        *("dim", "dim"),
    ]
    assert rows(preview(protocol("[[]]"), crops, cells=2, label="well")) == ["A01", "A30"]


def test_operations_are_shown_at_rising_amplitude_and_choices_once(crops: Crops) -> None:
    views = "[[{stain_gain: {amplitude: 0.5}}, {flip: {p: 0.2}}]]"
    found = texts(preview(protocol(views), crops))
    assert found.count("full") == 1
    assert {"⅓", "⅔", "stain_gain", "flip", "whole views", "draw 6"} <= set(found)
    assert "amplitude 0.5 ln(factor), p\u00a01" in found


def test_the_amplitude_rises_from_column_to_column(crops: Crops) -> None:
    figure = preview(protocol("[[stain_gain: {amplitude: 0.5}]]"), crops, cells=3)
    canvas, step = picture(figure), 16 + 1
    columns = [canvas[:16, 16 + 4 + i * step : 16 + 4 + i * step + 16].mean() for i in range(3)]
    assert canvas[:16, :16].mean() < columns[0] < columns[1] < columns[2]


def test_operations_of_masks_are_shown(crops: Crops) -> None:
    figure = preview(protocol("[[mask_background: {fill: black}]]"), crops, cells=1)
    canvas = picture(figure)
    assert canvas[:16, :16].min(axis=-1).mean() > 0.01  # as it is
    hidden = canvas[:16, 20:36]
    assert hidden[:3].max() == 0
    assert hidden[6:10, 6:10].max() > 0


def test_a_second_protocol_is_drawn_beside(crops: Crops) -> None:
    first, second = protocol("[[rotate: {degrees: 90}]]"), protocol("[[blur: {}]]", "other")
    found = [" ".join(text.split()) for text in texts(preview(first, crops, beside=second))]
    assert "makes the encoder blind, as far as these views differ, to orientation" in found
    assert "makes the encoder blind, as far as these views differ, to fine texture" in found
    assert "mine beside other" in found
    with pytest.raises(CellsslError, match="cannot be drawn beside"):
        preview(first, crops, beside=protocol("[[]]", channels="[GFP, DNA]"))


def test_two_kinds_of_views_share_their_operations(crops: Crops) -> None:
    views = "[[rotate: {degrees: 90}], [{rotate: {degrees: 90}}, {blur: {}}]]"
    found = texts(preview(protocol(views), crops))
    assert found.count("rotate") == 1
    assert {"blur (view 2)", "view 1", "view 2"} <= set(found)


def test_it_is_written_whole(crops: Crops, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "preview.png"
    cellssl.preview(protocol("[[flip: {}]]"), crops, out)
    assert out.stat().st_size > 5_000
    assert [path.name for path in out.parent.iterdir()] == ["preview.png"]


def test_what_cannot_be_drawn_is_told(crops: Crops) -> None:
    with pytest.raises(ProtocolError, match="'ER' is not in the data"):
        preview(protocol("[[]]", channels="[ER]"), crops)
    with pytest.raises(EmbeddingError, match="no column 'moaa'; did you mean 'Metadata_MOA'"):
        preview(protocol("[[]]"), crops, label="moaa")
    with pytest.raises(CellsslError, match="cells: wanted"):
        preview(protocol("[[]]"), crops, cells=0)


def test_bands_hold_whole_groups() -> None:
    def group(columns: int) -> PreviewGroup:
        return PreviewGroup("g", "", ("",) * columns, np.zeros((columns, 1, 1, 4, 4)))

    bands = _pack([group(3), group(3), group(1), group(6), group(13)], 7)
    assert [[len(g.columns) for g in band] for band in bands] == [[3, 3, 1], [6], [13]]
    figure = preview_figure(["cell"], group(1), [group(3), group(10)], ["DNA"])
    assert len(figure.axes) == 2


def test_jupyter_shows_it(crops: Crops) -> None:
    # IPython asks for `_repr_png_` where pyplot has not registered its own formatter.
    shown = preview(protocol("[[flip: {}]]"), crops, cells=1)._repr_png_()  # type: ignore[attr-defined]
    assert shown.startswith(b"\x89PNG")


def test_a_label_without_values_is_told(crops: Crops, tmp_path: Path) -> None:
    obs = crops.obs.assign(Metadata_Empty="")
    batch = CropBatch(images=crops.read(), masks=None, obs=obs)
    path = tmp_path / "crops.h5ad"
    write_crops(path, [batch], channels=["DNA", "GFP"], size=24, provenance={})
    with pytest.raises(CellsslError, match="Metadata_Empty is empty for all cells"):
        preview(protocol("[[]]"), path, label="Empty")


def test_small_views_have_the_numbers_that_training_gives_them(crops: Crops) -> None:
    views = "[{count: 2, operations: []}, {count: 4, size: 8, operations: [{blur: {}}]}]"
    found = texts(preview(protocol(views), crops, draws=2))
    assert {"view 1–2", "view 3–6", "blur (view 3–6)"} <= set(found)
