"""Names that no layout knows: the pattern that is proposed reads them, unchanged."""

import re
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import pytest

from cellssl.errors import PlateError
from cellssl.plates import PlateIndex, index
from cellssl.plates.layouts import Images, propose

Write = Callable[..., Path]
WELLS = ("A01", "B02", "H12")
WORDS = (("1", "DAPI"), ("2", "Texas Red"))
FIRST, SECOND = ((1, "01"), (2, "02")), ((0, "00"), (1, "01"))


def _names(form: str, sites: Sequence[int], channels: Sequence[object]) -> list[str]:
    """Name a plate's images: {w} is A1, {w2} A01, {r} and {k} row and column, {n} the image's number."""
    places = enumerate(product(WELLS, sites, channels))
    return [
        form.format(
            w=f"{well[0]}{int(well[1:])}",
            w2=well,
            r=ord(well[0]) - 64,
            k=int(well[1:]),
            number=(ord(well[0]) - 65) * 12 + int(well[1:]),
            s=site,
            c=channel,
            n=n,
        )
        for n, (well, site, channel) in places
    ]


def _proposed(folder: Path) -> str:
    with pytest.raises(PlateError, match="This may read them") as caught:
        index(folder)
    found = re.search(r"--pattern '(.+)'\n", str(caught.value))
    assert found
    return found[1]


def _read(folder: Path) -> PlateIndex:
    return index(folder, pattern=_proposed(folder), z="max")


@pytest.mark.parametrize(
    ("form", "sites", "channels"),
    [
        ("{w}_01_{c[0]}_{s}_{c[1]}_001.tif", (1, 2), WORDS),  # Cytation
        ("{w}_-1_{c[0]}_1_Stitched[{c[1]}]_001.tif", (1,), WORDS),
        ("{w}_01_{c[0]}_{s}Z0_{c[1]}_001.tif", (1, 2), WORDS),
        ("scan_{w2}_pos{s:02}_dye{c}.tif", (1, 2), (1, 2)),
        ("P1/MFGTMP_150409110001_{w2}f{s:02}d{c}.TIF", (0, 1), (0, 1)),  # ArrayScan
        ("scan_Plate_R_p00_z00_0_{w2}f{s:02}d{c}.TIF", (0, 1), (0, 1)),  # EVOS
        ("{c}--W{number:05}--P{s:05}--Z00000--T00000.tif", (1, 2), ("DAPI", "GFP")),  # ScanR
        ("Well{w2}_Point_{s:04}_Channel{c}_Seq{n:04}.tif", (0, 1), ("DAPI", "DsRed")),  # NIS-Elements
        ("Well{w2}_Point{w2}_{s:04}_Channel{c}_Seq{n:04}.tif", (0, 1), ("DAPI", "GFP")),
        ("exp_{c}_{w}_{s}_2013y07m09d_14h30m.tif", (1, 2), ("Green", "Phase")),  # IncuCyte
        ("{w}-Site_{s}/img_000000000_{c}_000.tif", (0, 1), ("DAPI", "Cy5")),  # Micro-Manager
        ("P1/Pos-{w}_{s:03}/img_channel{c:03}_position{s:03}_time000_z000.tif", (0, 1), (0, 1)),
        ("scr_{w2}_s{s}_w{c}_t1.tif", (1, 2), (1, 2)),  # MetaXpress
        ("scr_{w}_s{s}_w{c}.tif", (1, 2), (1, 2)),
        ("Exp-01-Scene-1-P{s}-{w}_c{c}_ORG.tif", (1, 2), (1, 2)),  # CD7
        ("exp_{w}_s{s}t001z01c{c}.tif", (1, 2), (1, 2)),
        ("-{w2}--PO{s:02}--LO001--CO{c}--SL001--PX32500--X014580--Z22{n:04}--T{n:04}.tif", (1, 2), (4, 6)),
        ("{r:03}{k:03}-{s}-001001{c:03}.tif", (1, 2), (1, 2)),  # Columbus
        ("{w}_{c}_{s}_20240506.tif", (1, 2), ("BF", "Green")),  # Tecan
        ("{w} {c[1]} {s}.tif", (1, 2), (("", "Hoechst"), ("", "Brightfield"))),
        ("{w}_{s}_{c}.tif", (1, 2, 3), (1, 2)),
        ("P1.{w}.{s}.{c}.tif", (1, 2), ("DAPI", "GFP")),
        ("Channel{c}-{number:02}-{w2[0]}-{k:02}.tif", (1,), (1, 2)),
        ("r{r}_c{k}_f{s}_{c}.tif", (1, 2), ("DAPI", "GFP")),
        ("{c}/{w}_{s}.tif", (1, 2), ("DAPI", "GFP")),
        ("P1/{w}/{c}/img_{s}.tif", (1, 2), ("DAPI", "GFP")),
        ("Well {w}/{c}_{s}.tif", (1, 2), ("DAPI", "GFP")),
        ("{w}_{s}_DAPI.tif", (1, 2), ("",)),
        ("exp (1) [x+y]/{w}-{s}-x[{c}].tif", (1, 2), ("DAPI", "GFP")),
        ("{w} (fld {s} wv {c} - {c}).tif", (1, 2), ("DAPI", "GFP")),
        ("C{c}-{w}_{s}.tif", (1, 2), (1, 2)),  # ImageJ
        ("{w}_{c}_{s}.tif", (1, 2), (405, 561)),
        ("{w}_{s}_Cy{c}.tif", (1, 2), (3, 5)),
        ("{w}/exp_P1_{s}_{c}.tif", (1, 2), ("DAPI", "GFP")),
        ("U2OS_{w}_{s}_{c}.tif", (1, 2), ("DAPI", "GFP")),
    ],
)  # fmt: skip
def test_names_of_other_instruments(
    write: Write, form: str, sites: Sequence[int], channels: Sequence[object]
) -> None:
    found = _read(write(*_names(form, sites, channels)))
    assert found.problems.empty
    assert (len(found.channels), len(found.fields)) == (len(channels), 3 * len(sites))
    assert not any(channel.endswith(" ") for channel in found.channels)
    assert found.fields["Metadata_Well"].unique().tolist() == [*WELLS]
    if "Scene" not in form:
        assert set(found.fields["Metadata_Site"]) == {str(site) for site in sites}


@pytest.mark.parametrize("form", ["P{p}_{w}_1_{c}.tif", "Screen_round1_P{p}/scr_{w}_s1_w_{c}.tif"])
def test_plates_in_names_and_folders(write: Write, form: str) -> None:
    every = product((1, 2), ("A1", "B2"), ("DAPI", "GFP"))
    found = _read(write(*(form.format(p=p, w=w, c=c) for p, w, c in every)))
    plates = found.fields["Metadata_Plate"].unique()
    assert [plate[-2:] for plate in plates] == ["P1", "P2"]
    assert found.channels == ("DAPI", "GFP")


def test_folders_that_are_called_like_no_stain_are_plates(write: Write) -> None:
    every = product(("treated", "control"), ("A1", "B2"), (1, 2), (1, 2))
    found = _read(write(*("{}/{}_{}_{}.tif".format(*one) for one in every)))
    assert set(found.fields["Metadata_Plate"]) == {"treated", "control"}
    assert (found.channels, len(found.fields)) == (("1", "2"), 8)


def test_a_pattern_that_reads_some_names_says_how_many(write: Write) -> None:
    every = product(
        ("P1/{}_1_{}.tif", "P2/{}_1_{}.tif", "{}_{}.tif"), ("A1", "B2"), ("DAPI", "GFP")
    )
    with pytest.raises(PlateError, match=r"channel GFP\. It reads 8 of 12 names"):
        index(write(*(form.format(*one) for form, *one in every)))


def test_times_of_a_clock_and_images_of_one_channel(write: Write) -> None:
    times = ("01d02h00m", "00d12h00m")
    folder = write(*(f"VID1_{w}_1_{time}.tif" for w in ("A1", "B2") for time in times))
    with pytest.raises(PlateError, match="the names say no channel: --channel tif=DNA"):
        index(folder)
    found = index(folder, pattern=_proposed(folder), channels={"tif": "DNA"})
    assert all("00d12h" in path for path in found.fields["Path_DNA"])
    assert "2 images of 1 later time point" in found.notes[-1]


@pytest.mark.parametrize(
    "names",
    [
        ("Row0_Col0_DAPI.tif", "Row0_Col0_GFP.tif", "Row1_Col2_DAPI.tif", "Row1_Col2_GFP.tif"),
        ("DAPI--W00000--P1.tif", "GFP--W00000--P1.tif", "DAPI--W00001--P1.tif"),
    ],
)
def test_wells_from_0_are_asked_about(write: Write, names: Sequence[str]) -> None:
    with pytest.raises(PlateError, match=r"--pattern .* may read them, but .* count from 0"):
        index(write(*names))


def test_wells_that_are_counted_want_a_plate_that_has_them(write: Write) -> None:
    folder = write(*(f"{c}--W{n:05}--P1.tif" for n in (13, 300) for c in ("DAPI", "GFP")))
    assert "(?P<well384>" in _proposed(folder)
    assert _read(folder).fields["Metadata_Well"].tolist() == ["A13", "M12"]
    pattern = r"(?P<channel>\w+)--W(?P<well96>\d+)"
    found = index(folder, pattern=pattern)
    assert found.fields["Metadata_Well"].tolist() == ["B01"]
    assert found.problems["Detail"].str.contains("well 00300 is none of 96").sum() == 2


@pytest.mark.parametrize(
    "form",
    [
        "IMG_000{}{}.tif",
        "img_position00{}_channel{}.tif",
        "a_s0{}t01c{}.tif",
        "exp_s{}_w{}.tif",
        "exp_r{}_c{}.tif",
        "{}_A_{}.tif",
        "H12-{}-Cy-{}.tif",
        "XY0{}_C{}.tif",
        "C{}-image_{}.tif",
        "P{}_Z{}_DAPI.tif",
        "F00{}_C{}.tif",
        "T1{}_{}_DAPI.tif",
        "U2OS_{}_{}_DAPI.tif",
        "P{}H12_1_c{}.tif",
        "H12({})({}).tif",
        "1111111111111111111111111111111111111111x{}{}.tif",
    ],
)
def test_names_without_wells_get_no_pattern(write: Write, form: str) -> None:
    with pytest.raises(PlateError, match="Describe them with --pattern"):
        index(write(*(form.format(*one) for one in product((1, 2), (1, 2)))))


@pytest.mark.parametrize(
    "form",
    [
        "{w}_s{s}_tile{n}_{c}.tif",
        "{w}_r{s}_c{n}_{c}.tif",
        "{w}_{p}_{s}_{c}.tif",
        "{p}/A{n}_f{s}_{c}.tif",
        "H9_C0{n}_{s}_{c}.tif",
    ],
)
def test_what_may_be_read_in_two_ways_gets_no_pattern(form: str) -> None:
    every = product(WELLS, ("X2", "Y3"), (1, 2), (1, 2), ("DAPI", "GFP"))
    names = {form.format(w=w, p=p, s=s, n=n, c=c) for w, p, s, n, c in every}
    assert propose(Images(Path(), tuple(sorted(names)))) is None


def test_of_a_large_screen_some_names_are_looked_at_and_all_tried() -> None:
    every = product(range(4), ("DAPI", "Foo"), "ABCDEFGH", range(1, 25), range(4))
    names = sorted(f"P{plate}/{c}/{row}{column}_{s}.tif" for plate, c, row, column, s in every)
    proposed = propose(Images(Path(), tuple(names)))
    assert proposed
    assert proposed[0].startswith(r"^(?P<plate>P\d+)/(?P<channel>[^/]+)/(?P<well>")
