"""The explorer's page: what is in it, and that it is right; its use is tested in Chromium."""

import base64
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import cellssl
from cellssl.cli.application import app
from cellssl.crops import CropBatch, Crops, write_crops
from cellssl.errors import CellsslError
from cellssl.report.explorer.pictures import Pictures
from cellssl.report.explorer.server import make_server
from cellssl.report.explorer.table import pack_columns

ARRAYS = {"u1": "<u1", "u2": "<u2", "i4": "<i4", "f4": "<f4", "f8": "<f8"}


def unpack(packed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), ARRAYS[packed["type"]])


def read_part(html: str, part: str):
    found = re.search(rf'<script type="application/json" id="{part}">(.*?)</script>', html, re.S)
    return json.loads(found[1])


def decode(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_page_holds_every_column_and_fetches_nothing(embedding, crops):
    html = cellssl.explore(embedding, crops).html
    own = html.replace(re.search(r"<script>/\*\*.*?</script>", html, re.S)[0], "")
    assert not re.search(r"https?://|@import|url\(|\bsrc=", own)
    assert "default-src 'none'" in own
    data = read_part(html, "data")
    assert data["names"] == list(embedding.obs_names)
    np.testing.assert_array_equal(unpack(data["x"]), embedding.obsm["X_umap"][:, 0])
    columns = {column["name"]: column for column in data["columns"]}
    assert set(columns) == set(embedding.obs)
    compounds = columns["Metadata_Compound"]
    assert [compounds["names"][code] for code in unpack(compounds["values"])] == list(
        embedding.obs["Metadata_Compound"]
    )
    assert columns["Metadata_Concentration"]["names"] is None
    mechanisms = columns["Metadata_MOA"]
    assert [mechanisms["names"][code] for code in mechanisms["grey"]] == ["negative control"]
    assert "" not in mechanisms["names"]  # only DMSO has no mechanism


def test_a_page_has_its_title_and_no_column_that_says_nothing(embedding):
    embedding.obs["Metadata_Notes"] = ""
    embedding.obs["Dose"] = np.nan
    embedding.obs["Nothing"] = None
    page = cellssl.explore(embedding, title="Plate 7")
    assert "<h1>Plate 7</h1>" in page.html
    names = [column["name"] for column in read_part(page.html, "data")["columns"]]
    assert not {"Metadata_Notes", "Dose", "Nothing"} & set(names)
    assert {"Metadata_MOA", "Metadata_Control", "kmeans"} < set(names)
    assert "<h1>expert</h1>" in cellssl.explore(embedding).html


def test_names_are_text_and_never_markup(embedding):
    embedding.obs["Metadata_Compound"] = "</script><img src=x onerror=alert(1)>"
    embedding.uns["cellssl"]["name"] = "<b>bold</b>"
    html = cellssl.explore(embedding, colour="Compound").html
    assert "<img" not in html
    assert "<b>bold" not in html
    assert read_part(html, "data")["columns"][4]["names"] == [
        "</script><img src=x onerror=alert(1)>"
    ]


def test_columns_of_every_kind_come_back_as_they_were():
    table = pd.DataFrame(
        {
            "yes": [True, False, True],
            "count": [3, 1, 2**31],
            "small": np.array([1, 2, 3], np.int8),
            "gaps": pd.array([1, None, 3], dtype="Int64"),
            "single": np.array([0.1, np.nan, np.inf], np.float32),
            "text": ["b10", None, "b2"],
            "kind": pd.Categorical(["x", "y", "x"]),
        }
    )
    columns = {column["name"]: column for column in pack_columns(table)}
    assert columns["yes"]["names"] == ["False", "True"]
    np.testing.assert_array_equal(unpack(columns["count"]["values"]), [3, 1, 2**31])
    assert columns["small"]["values"]["type"] == "i4"
    np.testing.assert_array_equal(unpack(columns["gaps"]["values"]), [1, np.nan, 3])
    np.testing.assert_array_equal(unpack(columns["single"]["values"]), table["single"])
    assert columns["text"]["names"] == ["b2", "b10", ""]  # as people sort, missing last
    assert list(unpack(columns["text"]["values"])) == [1, 2, 0]
    assert columns["kind"]["names"] == ["x", "y"]


def test_what_negative_controls_are_called_stays_grey(obs):
    columns = {column["name"]: column for column in pack_columns(obs)}
    compounds = columns["Metadata_Compound"]
    assert [compounds["names"][code] for code in compounds["grey"]] == ["DMSO"]
    assert columns["Metadata_Plate"]["grey"] == columns["Metadata_Control"]["grey"] == []


@pytest.fixture
def grey_crops(obs, tmp_path) -> Crops:
    """Cells in another order than the embedding's; each is as bright as its number says."""
    order = np.random.default_rng(3).permutation(len(obs))
    levels = np.stack([order, len(obs) - order], axis=1).astype(np.uint16) * 10
    images = np.broadcast_to(levels[:, :, None, None], (len(obs), 2, 12, 12)).copy()
    batch = CropBatch(images=images, masks=None, obs=obs.iloc[order])
    names = ["DAPI", "Actin"]
    path = write_crops(tmp_path / "c.h5ad", [batch], channels=names, size=12, provenance={})
    return Crops.open(path)


def test_pictures_belong_to_their_cells_by_name(embedding, grey_crops):
    html = cellssl.explore(embedding, grey_crops, progress=False).html
    pictures, about = read_part(html, "pictures"), read_part(html, "data")["crops"]
    assert about["stride"] == 16  # twelve pixels, padded to whole JPEG blocks
    assert unpack(about["pictured"]).all()
    dapi = np.array([decode(text)[:12].mean() for text in pictures])
    actin = np.array([decode(text)[16:28].mean() for text in pictures])
    assert (np.diff(dapi) > -2).all()  # cell i is the i-th in brightness, but for rounding
    assert dapi[-1] - dapi[0] > 200
    assert (np.diff(actin) < 2).all()


def test_beyond_the_limit_a_stated_sample_carries_pictures(embedding, grey_crops):
    html = cellssl.explore(embedding, grey_crops, megabytes=0.01).html
    pictures = read_part(html, "pictures")
    count = sum(text is not None for text in pictures)
    assert 5 < count < 80
    assert sum(len(text) for text in pictures if text) == pytest.approx(10_000, rel=0.1)
    assert f"{count} of the cells, drawn evenly over the wells" in html
    assert list(unpack(read_part(html, "data")["crops"]["pictured"])) == [
        int(text is not None) for text in pictures
    ]


def test_many_cells_are_told_how_to_be_fewer(embedding, monkeypatch, caplog):
    monkeypatch.setattr("cellssl.report.explorer.explorer.MANY", 50)
    cellssl.explore(embedding, sample=50)
    assert not caplog.records
    cellssl.explore(embedding)
    assert "a browser draws 80 cells slowly" in caplog.text
    assert "--sample 50" in caplog.text


def test_a_sample_of_cells_is_stated_and_even(embedding):
    page = cellssl.explore(embedding, sample=40)
    assert page.cells.n_obs == 40
    assert "A sample of 80" in page.html
    wells = page.cells.obs.groupby(["Metadata_Plate", "Metadata_Well"]).size()
    assert wells.max() - wells.min() <= 1


def test_a_map_is_made_where_there_is_none_and_always_the_same(embedding):
    del embedding.obsm["X_umap"]
    first, again = cellssl.explore(embedding), cellssl.explore(embedding)
    np.testing.assert_array_equal(first.cells.obsm["X_umap"], again.cells.obsm["X_umap"])
    assert "X_umap" not in embedding.obsm
    assert first.html == again.html


def test_clusters_that_cells_have_stay_where_a_map_is_made(embedding):
    del embedding.obsm["X_umap"]
    embedding.obs["leiden"] = embedding.obs["Metadata_MOA"].astype("category")
    shown = cellssl.explore(embedding, progress=False).cells
    pd.testing.assert_series_equal(shown.obs["leiden"], embedding.obs["leiden"])
    assert "stability" not in shown.uns


def test_large_crops_are_reduced(obs, embedding, tmp_path):
    images = np.random.default_rng(0).integers(0, 900, (len(obs), 1, 330, 330)).astype(np.uint16)
    batch = CropBatch(images=images, masks=None, obs=obs)
    path = write_crops(tmp_path / "c.h5ad", [batch], channels=["DNA"], size=330, provenance={})
    html = cellssl.explore(embedding, path, megabytes=0.5).html
    about = read_part(html, "data")["crops"]
    assert (about["height"], about["width"], about["stride"]) == (110, 110, 112)
    text = next(filter(None, read_part(html, "pictures")))
    assert decode(text).shape == (112, 110)


def test_channels_are_named_as_their_planes_lie(obs, embedding, tmp_path):
    images = np.random.default_rng(0).integers(0, 900, (len(obs), 3, 16, 16)).astype(np.uint16)
    images[:, 1] //= 9  # where DNA lies second, and comes first among the colours
    names = ["Actin", "DNA", "ER"]
    bounds = {"channels": names, "low": {"global": [0] * 3}, "high": {"global": [900] * 3}}
    embedding.uns["cellssl"] |= {
        "scaling": {"per": "global", "percentiles": [0, 100], "transform": "linear"},
        "scaling_bounds": json.dumps(bounds),
    }
    batch = CropBatch(images=images, masks=None, obs=obs)
    path = write_crops(tmp_path / "c.h5ad", [batch], channels=names, size=16, provenance={})
    html = cellssl.explore(embedding, path).html
    about = read_part(html, "data")["crops"]
    planes = decode(next(filter(None, read_part(html, "pictures")))).reshape(3, -1)
    darkest = about["channels"][int(planes.mean(axis=1).argmin())]
    assert darkest["name"] == "DNA"


def test_transmitted_light_is_mixed_in_when_asked_for(obs, embedding, tmp_path):
    images = np.random.default_rng(0).integers(0, 900, (len(obs), 2, 16, 16)).astype(np.uint16)
    batch = CropBatch(images=images, masks=None, obs=obs)
    path = write_crops(tmp_path / "c.h5ad", [batch], channels=["BF", "DNA"], size=16, provenance={})
    for wanted, shown in (({}, False), ({"BF": "white"}, True)):
        html = cellssl.explore(embedding, path, channels=wanted).html
        channels = {c["name"]: c for c in read_part(html, "data")["crops"]["channels"]}
        assert channels["BF"] == {"name": "BF", "colour": "#ffffff", "shown": shown}
        assert channels["DNA"]["shown"]


def test_colours_of_channels_are_the_users(embedding, crops):
    html = cellssl.explore(embedding, crops, channels={"Actin": "lime"}).html
    channels = {c["name"]: c["colour"] for c in read_part(html, "data")["crops"]["channels"]}
    assert channels["Actin"] == "#00ff00"
    assert re.fullmatch("#[0-9a-f]{6}", channels["DAPI"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": {"Golgi": "red"}}, "no channel is called 'Golgi'; there are DAPI, Actin"),
        ({"channels": {"Actin": "reddish"}}, "'reddish' is no colour"),
        ({"crops": None, "channels": {"Actin": "red"}}, "need the crops"),
        ({"colour": "Compund"}, "did you mean 'Metadata_Compound'"),
        ({"out": "page.pdf"}, "wanted a name ending in .html"),
        ({"megabytes": 0}, "some room"),
        ({"sample": 0}, "sample: wanted a whole number, 1 or more"),
        ({"crops": "nowhere.h5ad"}, "no crop file"),
    ],
)
def test_mistakes_are_said(embedding, crops, options, said):
    with pytest.raises(CellsslError, match=said):
        cellssl.explore(embedding, **{"crops": crops, **options})


def test_cells_that_are_not_those_of_the_crops_are_refused(embedding, crops):
    embedding.obs_names = [f"other/{name}" for name in embedding.obs_names]
    with pytest.raises(CellsslError, match="holds none of these cells"):
        cellssl.explore(embedding, crops)


@pytest.mark.parametrize("show", [cellssl.report.explore, cellssl.report.gallery])
def test_crops_that_share_a_name_are_refused(embedding, crops, tmp_path, show):
    path = shutil.copy(crops.path, tmp_path)
    with h5py.File(path, "r+") as file:
        names = file["obs"][file["obs"].attrs["_index"]]
        names[1] = names[0]
    with pytest.raises(CellsslError, match="calls several cells 'P0/A01/1/0': cells are matched"):
        show(embedding, path)


def test_cells_without_a_crop_are_counted(embedding, crops):
    names = list(embedding.obs_names)
    embedding.obs_names = ["somewhere/else/1/1", *names[1:]]
    html = cellssl.explore(embedding, crops).html
    assert "79 of the cells have their picture, the others are not in the crop file" in html
    assert read_part(html, "pictures")[0] is None


@pytest.mark.parametrize("points", [np.zeros((80, 1)), np.full((80, 2), np.nan)])
def test_a_map_that_is_none_is_refused(embedding, points):
    embedding.obsm["X_umap"] = points
    with pytest.raises(CellsslError, match="is no map"):
        cellssl.explore(embedding)


def test_a_notebook_gets_the_page_in_a_frame(embedding):
    shown = cellssl.explore(embedding)._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert shown.count('"') == 4  # the page's own are escaped


@pytest.fixture
def served():
    server, address = make_server("<p>page</p>", {3: b"picture"}.get)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def _get(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""


def test_the_server_answers_with_page_and_pictures_and_nothing_else(served):
    assert served.startswith("http://127.0.0.1:")
    root = served[: served.index("/", 8)]
    assert _get(served) == (200, b"<p>page</p>")
    assert _get(f"{served}crops/3.jpg") == (200, b"picture")
    for path in ("crops/4.jpg", "crops/-1.jpg", "crops/3.jpg/..", "crops/../../etc/passwd", "x"):
        assert _get(f"{served}{path}")[0] == 404
    for path in ("/", "/crops/3.jpg", "/etc/passwd", "//"):
        assert _get(f"{root}{path}")[0] == 404


def test_a_port_that_is_taken_is_said(served):
    port = int(re.search(r":(\d+)/", served)[1])
    with pytest.raises(CellsslError, match=f"port {port} cannot be used"):
        make_server("", {}.get, port=port)


def test_serving_without_crops_is_refused(embedding):
    with pytest.raises(CellsslError, match="nothing to serve"):
        cellssl.explore(embedding).serve()


@pytest.fixture
def files(embedding, tmp_path) -> dict[str, str]:
    embedding.write_h5ad(tmp_path / "e.h5ad")
    return {"embedding": str(tmp_path / "e.h5ad"), "out": str(tmp_path / "new" / "page.html")}


def test_the_command_writes_a_page(files, crops):
    arguments = ["explore", files["embedding"], "--crops", str(crops.path), "-o", files["out"]]
    result = CliRunner().invoke(app, [*arguments, "--channel", "Actin=red", "--colour", "MOA"])
    assert result.exit_code == 0, result.output
    html = Path(files["out"]).read_text("utf-8")
    data = read_part(html, "data")
    assert data["columns"][data["colour"]]["name"] == "Metadata_MOA"
    assert data["crops"]["channels"][1]["colour"] == "#ff0000"


def test_ctrl_c_ends_the_server(files, crops):
    # Where tests run in the background Ctrl-C is switched off, and their children inherit that.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from cellssl.cli import main; main()"
    )
    arguments = ["explore", files["embedding"], "--crops", str(crops.path), "--serve"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        address = process.stdout.readline().split()[1]
        status, picture = _get(f"{address}crops/3.jpg")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert status == 200
    assert Image.open(io.BytesIO(picture)).size == (12, 32)
    assert process.returncode == 0
    assert "stopped" in errors
    assert "interrupted" not in errors


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--serve"], "--crops"),
        (["--serve", "-o", "page.html"], "writes no page"),
        (["--serve", "--megabytes", "9"], "writes no page"),
        (["--port", "8000"], "goes with --serve"),
        (["--channel", "Actin"], "KEY=VALUE"),
    ],
)
def test_options_that_do_not_fit_are_refused(files, options, said):
    result = CliRunner().invoke(app, ["explore", files["embedding"], *options])
    assert result.exit_code == 1
    assert said in result.output


def test_an_embedding_without_columns_is_refused():
    bare = ad.AnnData(np.zeros((12, 2), np.float32))
    bare.obsm["X_umap"] = np.zeros((12, 2))
    with pytest.raises(CellsslError, match="obs is empty"):
        cellssl.explore(bare)


def test_pictures_are_as_bright_as_the_encoder_saw_them(embedding, crops):
    assert Pictures(embedding, crops).brightness == "Brightness: all cells' 1 to 99.9 %, sqrt."
    bounds = {
        "channels": ["DAPI", "Actin"],
        "low": {"global": [0, 0]},
        "high": {"global": [9e4, 1]},
    }
    embedding.uns["cellssl"] |= {
        "scaling": {"per": "global", "percentiles": np.array([2.0, 98.0]), "transform": "linear"},
        "scaling_bounds": json.dumps(bounds),
    }
    pictures = Pictures(embedding, crops)
    assert pictures.brightness == "Brightness: all cells' 2 to 98 %, linear."
    picture = decode(base64.b64encode(pictures.encode(np.array([5]))[0]).decode())
    assert picture[:12].mean() < 12  # of 90,000
    assert picture[16:28].mean() > 240  # of 1
