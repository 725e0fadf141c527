"""The explorer as somebody uses it: in a real browser, with a mouse."""

import threading

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import cellssl
from cellssl.crops import CropBatch, Crops, import_crops, write_crops
from cellssl.report.explorer.server import make_server
from cellssl.report.figures.style import category_colours, control_names, natural_order

from .chromium import open_chromium, open_page, wait_for

SIZE = 24
# Where a cell's point lies on the screen.
PLACE = """
const layout = map.element._fullLayout, box = map.element.getBoundingClientRect(), cell = arguments[0];
return [layout.xaxis.l2p(x[cell]) + layout.xaxis._offset + box.left,
        layout.yaxis.l2p(y[cell]) + layout.yaxis._offset + box.top];
"""
# Mean colour of the cell's picture in an element.
COLOUR = """
const canvas = document.querySelector(arguments[0]);
if (!canvas) return null;
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const sum = [0, 0, 0];
data.forEach((value, i) => { if (i % 4 < 3) sum[i % 4] += value / (data.length / 4); });
return sum[0] + sum[1] + sum[2] ? sum : null;
"""


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Four treatments on four islands; the first cells glow in DNA, the last in Actin."""
    rng = np.random.default_rng(0)
    names = ["DMSO", "taxol", '<b>x"</b>, mild', "dye"]
    count = 400
    kind = np.arange(count) % 4
    obs = pd.DataFrame(
        {
            "Metadata_Plate": "P1",
            "Metadata_Well": [f"A{1 + i % 12:02d}" for i in range(count)],
            "Metadata_Site": np.ones(count, int),
            "Metadata_Compound": np.array(names)[kind],
            "Area_Nucleus": rng.random(count).astype(np.float32),
        },
        index=[f"P1/A{1 + i % 12:02d}/1/{i}" for i in range(count)],
    )
    cells = ad.AnnData(rng.normal(size=(count, 3)).astype(np.float32), obs=obs)
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])[kind]
    cells.obsm["X_umap"] = (corners + rng.normal(size=(count, 2))).astype(np.float32)
    cells.uns["cellssl"] = {"name": "islands"}
    images = np.zeros((count, 2, SIZE, SIZE), np.uint16)
    images[:, 0] = (1000 * (kind < 2))[:, None, None]
    images[:, 1] = (1000 * (kind >= 2))[:, None, None]
    order = rng.permutation(count)
    batch = CropBatch(images=images[order], masks=None, obs=obs.iloc[order])
    path = tmp_path_factory.mktemp("islands") / "crops.h5ad"
    write_crops(path, [batch], channels=["DNA", "Actin"], size=SIZE, provenance={})
    return cells, Crops.open(path)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def chromium(downloads):
    with open_chromium(downloads) as browser:
        yield browser


@pytest.fixture
def page(chromium, experiment, tmp_path):
    explorer = cellssl.explore(
        *experiment,
        colour="Compound",
        channels={"DNA": "#0000ff", "Actin": "#ff0000"},
        out=tmp_path / "explorer.html",
        progress=False,
    )
    assert explorer.cells.n_obs == 400
    open_page(chromium, (tmp_path / "explorer.html").as_uri())
    yield chromium
    errors = [line for line in chromium.get_log("browser") if line["level"] == "SEVERE"]
    assert not errors


def _text(page, element: str) -> str:
    return page.execute_script("return find(arguments[0]).textContent", element)


def _mouse(page):
    from selenium.webdriver.common.action_chains import ActionChains

    return ActionChains(page, duration=20)


def _point_at(page, cell: int) -> None:
    left, top = page.execute_script(PLACE, cell)
    actions = _mouse(page)
    actions.w3c_actions.pointer_action.move_to_location(round(left), round(top))
    actions.perform()


def _lasso(page, corners: list[tuple[float, float]]) -> None:
    """Draw around a polygon given in the map's own units."""
    layout = """
    const l = map.element._fullLayout, b = map.element.getBoundingClientRect();
    return arguments[0].map(([h, v]) => [l.xaxis.l2p(h) + l.xaxis._offset + b.left,
                                         l.yaxis.l2p(v) + l.yaxis._offset + b.top]);
    """
    places = page.execute_script(layout, corners)
    actions = _mouse(page)
    pointer = actions.w3c_actions.pointer_action
    pointer.move_to_location(*map(round, places[0]))
    pointer.pointer_down()
    for place in [*places[1:], places[0]]:
        pointer.move_to_location(*map(round, place))
    pointer.pointer_up()
    actions.perform()


def _lonely(cells: ad.AnnData, kind: str) -> int:
    """Find the cell of a treatment that is farthest from its neighbours, so that a mouse can hit it."""
    points = cells.obsm["X_umap"]
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(away, np.inf)
    own = np.flatnonzero(cells.obs["Metadata_Compound"] == kind)
    return int(own[away.min(axis=1)[own].argmax()])


def test_hovering_and_clicking_show_the_cell(page, experiment):
    cells, _ = experiment
    for kind, blue in (("DMSO", True), ("dye", False)):
        cell = _lonely(cells, kind)
        _point_at(page, cell)
        wait_for(lambda: not page.execute_script("return find('tip').hidden"))
        wait_for(lambda kind=kind: kind in _text(page, "tip"))
        assert cells.obs["Metadata_Well"].iloc[cell] in _text(page, "tip")
        red_, _, blue_ = wait_for(lambda: page.execute_script(COLOUR, "#tip canvas"))
        assert (blue_ > 200 and red_ < 20) if blue else (red_ > 200 and blue_ < 20)
        _mouse(page).click().perform()
        wait_for(lambda cell=cell: cells.obs_names[cell] in _text(page, "cell"))


def test_channels_are_mixed_as_the_user_likes(page, experiment):
    cells, _ = experiment
    _point_at(page, _lonely(cells, "DMSO"))
    _mouse(page).click().perform()
    wait_for(lambda: page.execute_script(COLOUR, "#cell canvas"))
    set_colour = """
    const input = document.querySelector("#channels input[type=color]");
    input.value = "#00ff00"; input.oninput();
    """
    page.execute_script(set_colour)
    wait_for(lambda: page.execute_script(COLOUR, "#cell canvas")[1] > 200)
    page.execute_script("document.querySelector('#channels input[type=checkbox]').click()")
    wait_for(lambda: page.execute_script(COLOUR, "#cell canvas") is None)  # black


def test_a_lasso_gives_gallery_table_and_csv(page, experiment, downloads):
    cells, _ = experiment
    _lasso(page, [(-5, 5), (5, 5), (5, 15), (-5, 15)])
    wait_for(lambda: "selected" in _text(page, "size"))
    points = cells.obsm["X_umap"]
    inside = (points[:, 0] < 5) & (points[:, 1] > 5)
    assert inside.sum() == 100
    assert _text(page, "size") == "100 of 400 cells selected"
    rows = page.execute_script(
        "return [...document.querySelectorAll('#counts tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
    )
    wells = cells.obs.loc[inside, "Metadata_Well"].nunique()
    assert rows == [['<b>x"</b>, mild', "100", "100", "4.00 ×", f"{wells} of {wells}"]]
    assert len(page.find_elements("css selector", "#gallery canvas")) == 60
    red, _, _ = wait_for(lambda: page.execute_script(COLOUR, "#gallery canvas"))
    assert red > 200
    page.execute_script("document.querySelector('#gallery .more').click()")
    assert len(page.find_elements("css selector", "#gallery canvas")) == 100

    page.execute_script("find('save').click()")
    file = downloads / "selection.csv"
    wait_for(file.exists)
    saved = pd.read_csv(file, index_col="obs_name")
    file.unlink()
    expected = cells[inside].obs
    assert list(saved.index) == list(expected.index)
    assert list(saved["Metadata_Compound"]) == list(expected["Metadata_Compound"])
    np.testing.assert_allclose(saved["Area_Nucleus"], expected["Area_Nucleus"], rtol=1e-6)
    np.testing.assert_allclose(saved[["map_x", "map_y"]], points[inside], rtol=1e-6)


def test_a_selection_survives_other_colours_and_goes_when_cleared(page):
    _lasso(page, [(-3, -3), (5, -3), (5, 5), (-3, 5)])
    wait_for(lambda: _text(page, "size") == "100 of 400 cells selected")
    drawn = "return map.element.data[0].selectedpoints?.length ?? null"
    change = """
    find("colour").value = columns.findIndex((column) => column.label === "Area_Nucleus");
    find("colour").onchange();
    """
    page.execute_script(change)
    wait_for(lambda: "The scale spans" in _text(page, "legend"))
    wait_for(lambda: page.execute_script(drawn) == 100)
    assert _text(page, "size") == "100 of 400 cells selected"
    page.execute_script("find('clear').click()")
    wait_for(lambda: page.execute_script("return find('selection').hidden"))
    wait_for(lambda: page.execute_script(drawn) is None)


def test_filters_take_cells_off_the_map(page, experiment):
    cells, _ = experiment
    add = """
    find("filter").value = columns.findIndex((column) => column.label === arguments[0]);
    find("filter").onchange();
    """
    page.execute_script(add, "Compound")
    page.execute_script("document.querySelectorAll('fieldset .tools button')[1].click()")
    wait_for(lambda: _text(page, "shown") == "0 of 400 cells shown")
    page.execute_script("document.querySelectorAll('fieldset .boxes input')[1].click()")
    wait_for(lambda: _text(page, "shown") == "100 of 400 cells shown")
    page.execute_script(add, "Area_Nucleus")
    limit = """
    const [low] = document.querySelectorAll("fieldset input[type=number]");
    low.value = 0.5; low.onchange();
    """
    page.execute_script(limit)
    names = sorted(cells.obs["Metadata_Compound"].unique())
    expected = (cells.obs["Metadata_Compound"] == names[1]) & (cells.obs["Area_Nucleus"] >= 0.5)
    wait_for(lambda: _text(page, "shown") == f"{expected.sum()} of 400 cells shown")
    page.execute_script("find('all').click()")
    wait_for(lambda: _text(page, "size") == f"{expected.sum()} of {expected.sum()} cells selected")
    page.execute_script("document.querySelector('fieldset legend button').click()")
    wait_for(lambda: _text(page, "shown") != f"{expected.sum()} of 400 cells shown")


def test_colours_are_those_of_the_reports_figures(chromium, experiment, tmp_path):
    cells = experiment[0].copy()
    compounds = cells.obs["Metadata_Compound"].astype(str)
    cells.obs["Metadata_Control"] = np.where(compounds == "DMSO", "negative", "")
    explorer = cellssl.explore(cells, colour="Compound", out=tmp_path / "explorer.html")
    open_page(chromium, (tmp_path / "explorer.html").as_uri())
    ask = "return [[...map.order], map.element.data[0].marker.color]"  # grey ones are drawn first
    order, drawn = chromium.execute_script(ask)
    grey = control_names(cells.obs, "Metadata_Compound")
    assert grey == ("DMSO",)
    colours = category_colours(natural_order(list(compounds)), grey=grey)
    assert drawn == [colours[name] for name in explorer.cells.obs["Metadata_Compound"].iloc[order]]


def test_a_name_gets_a_colour_by_a_click(page):
    drawn = "return [...new Set(map.element.data[0].marker.color)].length"
    assert page.execute_script(drawn) == 4
    page.execute_script("document.querySelector('#legend .name').click()")
    grey = "return map.element.data[0].marker.color.filter((c) => c === page.look.grey).length"
    wait_for(lambda: page.execute_script(grey) == 100)


def test_long_names_leave_their_numbers_whole_and_have_room_themselves(
    chromium, experiment, tmp_path
):
    cells = experiment[0].copy()
    compounds = cells.obs["Metadata_Compound"].astype(str)
    cells.obs["Metadata_MOA"] = (
        "an inhibitor of very many kinases and of what they phosphorylate " + compounds
    )
    cellssl.explore(cells, colour="MOA", out=tmp_path / "explorer.html")
    open_page(chromium, (tmp_path / "explorer.html").as_uri())
    line = chromium.execute_script(
        "return [...document.querySelectorAll('#legend .count')].map((count) => count.getClientRects()[0].height)"
    )
    assert len(line) == 4
    assert max(line) < 30  # of pixels: one line of figures, not one figure a line
    chromium.execute_script("find('all').click()")
    width = (
        "const cell = document.querySelector('#selection td'); return cell ? cell.offsetWidth : 0"
    )
    assert wait_for(lambda: chromium.execute_script(width)) > 150


def test_nothing_can_be_fetched(page):
    ask = """
    const done = arguments[arguments.length - 1];
    document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
    fetch("http://127.0.0.1:9/").catch(() => null);
    """
    assert page.execute_async_script(ask) == "connect-src"
    page.get_log("browser")  # what was refused is an error in the console


def test_in_a_notebook_the_frame_works(chromium, experiment, tmp_path):
    cells, crops = experiment
    frame = cellssl.explore(cells, crops, progress=False)._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8>{frame}", "utf-8")
    chromium.get((tmp_path / "notebook.html").as_uri())
    chromium.switch_to.frame(0)
    wait_for(lambda: chromium.execute_script("return document.body.dataset.drawn"))
    assert _text(chromium, "shown") == "400 of 400 cells shown"
    chromium.switch_to.default_content()


def test_a_server_gives_every_crop_when_it_is_asked_for(chromium, experiment, monkeypatch):
    cells, crops = experiment
    explorer = cellssl.explore(cells, crops, channels={"DNA": "#0000ff", "Actin": "#ff0000"})
    started: list[str] = []
    servers = []

    def remember(*arguments, **options):
        servers.append(make_server(*arguments, **options))
        return servers[0]

    monkeypatch.setattr("cellssl.report.explorer.explorer.make_server", remember)
    thread = threading.Thread(target=explorer.serve, kwargs={"ready": started.append})
    thread.start()
    try:
        open_page(chromium, wait_for(lambda: started[0] if started else None))
        assert chromium.execute_script("return document.getElementById('pictures')") is None
        _point_at(chromium, _lonely(cells, "dye"))
        red, _, blue = wait_for(lambda: chromium.execute_script(COLOUR, "#tip canvas"))
        assert red > 200
        assert blue < 20
    finally:
        servers[0][0].shutdown()
        thread.join()


@pytest.mark.slow
def test_real_cells(chromium, data, tmp_path):
    """All 4,919 cells of BBBC021, from pixels to the page; a picture of it is left for the eye."""
    source = data / "bbbc021" / "crops"
    channels = ["DAPI", "Tubulin", "Actin"]
    crops = import_crops(source / "crops.h5", source / "cells.csv", tmp_path, channels=channels)
    embedding = cellssl.embed(crops, "simple-features", tmp_path / "e.h5ad", progress=False)
    explorer = cellssl.explore(embedding, crops, out=tmp_path / "explorer.html", progress=False)
    assert (tmp_path / "explorer.html").stat().st_size < 60e6
    open_page(chromium, (tmp_path / "explorer.html").as_uri())
    points = explorer.cells.obsm["X_umap"]
    middle = np.median(points, axis=0)
    corners = [
        (middle[0] + 2 * h, middle[1] + 2 * v) for h, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    _lasso(chromium, np.array(corners).tolist())
    inside = int((np.abs(points - middle) < 2).all(axis=1).sum())
    wait_for(lambda: "selected" in _text(chromium, "size"))
    found = int(_text(chromium, "size").split()[0].replace(",", ""))
    assert found == pytest.approx(inside, rel=0.03)  # the outline goes by whole pixels
    wait_for(lambda: chromium.execute_script(COLOUR, "#gallery canvas"))
    assert _text(chromium, "counts").count("×") > 8  # mechanisms
    assert chromium.save_screenshot(str(tmp_path / "explorer.png"))
