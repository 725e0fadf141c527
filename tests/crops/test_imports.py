import h5py
import numpy as np
import pandas as pd
import pytest

from cellssl.crops import Crops, import_crops
from cellssl.crops.exchange import imports, tables
from cellssl.crops.exchange.tables import name_columns
from cellssl.errors import CropError


@pytest.fixture
def foreign(tmp_path):
    """Crops as another program leaves them: HDF5 and .npy with a row-aligned CSV."""
    images = np.random.default_rng(0).integers(0, 9999, (6, 2, 5, 5)).astype(np.uint16)
    with h5py.File(tmp_path / "crops.h5", "w") as file:
        file["group/crops"] = images
        file["other"] = np.zeros((6, 3))
    np.save(tmp_path / "crops.npy", images)
    table = pd.DataFrame(
        {
            "cell_id": [f"c{n}" for n in range(6)],
            "plate": ["Week1_2"] * 6,
            "Well": ["b3", "B03", "B3", "C10", "C10", "C10"],
            "compound": ["DMSO", "dmso", "taxol", "taxol", None, "taxol"],
            "concentration": [0, 0, 0.1, 0.1, 0.3, 1],
            "moa": "m",
            "benchmark": [True, False] * 3,
        }
    )
    table.to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path, images, table


def test_a_table_of_another_country_is_read_alike(foreign):
    folder, _, table = foreign
    table.to_csv(folder / "german.csv", index=False, sep=";", decimal=",")
    found = [
        import_crops(
            folder / "crops.npy", folder / f"{name}.csv", folder / name, channels=["a", "b"]
        )
        for name in ("cells", "german")
    ]
    pd.testing.assert_frame_equal(*(Crops.open(path).obs for path in found))
    assert Crops.open(found[1]).obs["Metadata_Concentration"].tolist() == [0, 0, 0.1, 0.1, 0.3, 1]


@pytest.mark.parametrize("name", ["crops.h5", "crops.npy"])
def test_pixels_and_table_arrive(foreign, name):
    folder, images, _ = foreign
    path = import_crops(
        folder / name, folder / "cells.csv", folder / "out", channels=["DNA", "Actin"]
    )
    crops = Crops.open(path)
    np.testing.assert_array_equal(crops.read(), images)
    obs = crops.obs
    assert obs["Metadata_Well"].tolist() == ["B03", "B03", "B03", "C10", "C10", "C10"]
    assert obs["Metadata_Control"].tolist() == ["negative", "negative", "", "", "", ""]
    assert obs["Metadata_Batch"].unique().tolist() == ["Week1"]
    assert obs["Metadata_benchmark"].dtype == bool
    assert {"Metadata_Compound", "Metadata_Concentration", "Metadata_MOA"} <= set(obs.columns)
    assert obs.index[0] == "Week1_2/B03/c0"


def test_long_imports_are_announced_and_have_a_bar(foreign, caplog, monkeypatch):
    folder, _, _ = foreign
    bars = []

    def track(items, description, *, shown):
        bars.append((description, len(items), shown))
        return items

    monkeypatch.setattr(tables, "_MUCH", 9)
    monkeypatch.setattr(imports, "track", track)
    with caplog.at_level("INFO"):
        import_crops(
            folder / "crops.npy", folder / "cells.csv", folder / "out", channels="ab", progress=True
        )
    assert "GB of text" in caplog.text
    assert bars == [("importing", 1, True)]


def test_columns_may_be_named(foreign):
    folder, _, table = foreign
    table.rename(columns={"compound": "drug", "plate": "p"}).to_csv(
        folder / "named.csv", index=False
    )
    path = import_crops(
        folder / "crops.npy",
        folder / "named.csv",
        folder / "named.h5ad",
        channels=["DNA", "Actin"],
        columns={"drug": "Metadata_Compound"},
        plate="P7",
    )
    obs = Crops.open(path).obs
    assert obs["Metadata_Compound"].iloc[2] == "taxol"
    assert set(obs["Metadata_Plate"]) == {"P7"}
    assert set(obs["Metadata_p"]) == {"Week1_2"}


@pytest.mark.parametrize("meaning", ["Well", "well", "Metadata_Well", "metadata_well"])
def test_a_columns_meaning_may_be_short(foreign, meaning):
    folder, _, table = foreign
    table.rename(columns={"Well": "place", "cell_id": "nr"}).to_csv(folder / "t.csv", index=False)
    path = import_crops(
        folder / "crops.npy",
        folder / "t.csv",
        folder / "short.h5ad",
        channels=["DNA", "Actin"],
        columns={"place": meaning, "nr": "Label", "moa": "Class", "benchmark": "Quality_good"},
    )
    obs = Crops.open(path).obs
    assert obs["Metadata_Well"].tolist() == ["B03", "B03", "B03", "C10", "C10", "C10"]
    assert {"Metadata_Class", "Quality_good", "Metadata_Label"} <= set(obs.columns)
    assert obs.index[0] == "Week1_2/B03/c0"


def test_marks_between_words_do_not_count_but_for_percent(foreign):
    folder, _, table = foreign
    table.rename(
        columns={"cell_id": "Cell.ID", "plate": "Plate #", "benchmark": "% Control"}
    ).to_csv(folder / "marks.csv", index=False)
    path = import_crops(
        folder / "crops.npy", folder / "marks.csv", folder / "marks", channels=["DNA", "Actin"]
    )
    obs = Crops.open(path).obs
    assert obs.index[0] == "Week1_2/B03/c0"
    assert obs["Metadata_% Control"].tolist() == table["benchmark"].tolist()


@pytest.mark.parametrize("heads", [["Plate #", "Plate", "Well"], ["Plate", "Plate #", "Well"]])
def test_a_column_that_is_called_so_is_taken_before_one_called_alike(heads):
    names = name_columns(pd.DataFrame(columns=heads), {})
    assert names["Plate"] == "Metadata_Plate"
    assert names["Plate #"] == "Metadata_Plate #"
    names = name_columns(pd.DataFrame(columns=heads), {"Plate": "Metadata_Old"})
    assert names["Plate #"] == "Metadata_Plate"


def test_what_identifies_cells_stays_text(foreign):
    folder, _, _ = foreign
    numbers = ["01", "02", "03", "04", "05", ""]
    pd.DataFrame(dict.fromkeys(("Site", "treatment", "drug", "well", "MoA"), numbers)).to_csv(
        folder / "numbers.csv", index=False
    )
    for columns in ({}, {"drug": "Compound"}):
        path = import_crops(
            folder / "crops.npy",
            folder / "numbers.csv",
            folder / "numbers.h5ad",
            channels=["DNA", "Actin"],
            columns=columns,
            negative_control="02",
        )
        obs = Crops.open(path).obs
        for name in ("Site", "Compound", "Well", "MOA"):
            assert obs[f"Metadata_{name}"].tolist() == numbers
        assert obs["Metadata_Control"].tolist() == ["", "negative", "", "", "", ""]
    assert obs["Metadata_treatment"].tolist() == numbers


@pytest.mark.parametrize(
    "written",
    [
        {"Conc (nM)": [0, 0, 100, 100, 300, 1000]},
        {"concentration": ["0", "0", "100 nM", "0.1 µM", "300 nM", "1 uM"]},
        {"Dose": [0, 0, 100, 100, 300, 1000], "Unit": "nM"},
    ],
)
def test_treatments_are_known_as_those_of_a_plate_are(foreign, written):
    folder, _, table = foreign
    table = table.drop(columns="concentration").rename(columns={"compound": "Drug"})
    table.assign(**written).to_csv(folder / "t.csv", index=False)
    path = import_crops(
        folder / "crops.npy", folder / "t.csv", folder / "out", channels=["DNA", "Actin"]
    )
    obs = Crops.open(path).obs
    assert obs["Metadata_Concentration"].tolist() == [0, 0, 0.1, 0.1, 0.3, 1]
    assert set(obs["Metadata_ConcentrationUnit"]) == {"uM"}
    assert obs["Metadata_Compound"].tolist() == ["DMSO", "dmso", "taxol", "taxol", "", "taxol"]
    assert obs["Metadata_Control"].tolist() == ["negative", "negative", "", "", "", ""]


@pytest.mark.parametrize("cells", ["label", "my cell"])
def test_classes_with_zeros_in_front_stay_apart(foreign, caplog, cells):
    folder, _, _ = foreign
    classes = ["01", "1", " 1", "", "2", "10"]
    columns = {"class": classes, "nr": [3, "", 1, 2, 0, 5], cells: ["01", "02", 3, 4, 5, 6]}
    pd.DataFrame(columns).to_csv(folder / "classes.csv", index=False)
    path = import_crops(
        folder / "crops.npy",
        folder / "classes.csv",
        folder / "out",
        channels=["DNA", "Actin"],
        columns={cells: "Label"},
    )
    obs = Crops.open(path).obs
    assert obs["Metadata_class"].tolist() == [text.strip() for text in classes]
    assert obs["Metadata_nr"].sum() == 11
    assert obs["Metadata_Label"].tolist() == [1, 2, 3, 4, 5, 6]
    assert "wells" not in caplog.text  # of what is no screen


def test_names_that_look_like_nothing_stay(foreign):
    folder, _, table = foreign
    table.assign(compound=["None", "NA"] * 3).to_csv(folder / "t.csv", index=False)
    path = import_crops(
        folder / "crops.npy", folder / "t.csv", folder / "out", channels=["DNA", "Actin"]
    )
    assert list(Crops.open(path).obs["Metadata_Compound"][:2]) == ["None", "NA"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_crops_must_be_finite(foreign, value):
    folder, images, _ = foreign
    images = images.astype(np.float32)
    images[[3, 5], 1, 2, 2] = value
    np.save(folder / "floats.npy", images)
    with pytest.raises(CropError, match=r"row 3 .*'Week1_2/C10/c3'.* NaN or infinite"):
        import_crops(
            folder / "floats.npy",
            folder / "cells.csv",
            folder / "bad.h5ad",
            channels=["DNA", "Actin"],
        )
    assert not (folder / "bad.h5ad").exists()


def test_errors_say_what_to_mend(foreign):
    folder, _, table = foreign
    table.iloc[:5].to_csv(folder / "short.csv", index=False)
    np.save(folder / "last.npy", np.zeros((6, 5, 5, 2), np.uint16))
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    with h5py.File(folder / "two.h5", "w") as file:
        file["a"] = file["b"] = np.zeros((6, 2, 5, 5), np.uint16)
    (folder / "text.h5").write_text("no")
    (folder / "cut.h5").write_bytes((folder / "two.h5").read_bytes()[:1000])

    def attempt(pixels="crops.npy", cells="cells.csv", **arguments):
        arguments = {"channels": ["DNA", "Actin"], **arguments}
        import_crops(folder / pixels, folder / cells, folder / "bad.h5ad", **arguments)

    with pytest.raises(CropError, match="5 rows; they must be row-aligned"):
        attempt(cells="short.csv")
    with pytest.raises(CropError, match=r"2 channels .* 3 names"):
        attempt(channels=["a", "b", "c"])
    with pytest.raises(CropError, match="last axis"):
        attempt("last.npy")
    with pytest.raises(CropError, match="plain array"):
        attempt("object.npy")
    with pytest.raises(CropError, match=r"name one with dataset= \(--dataset\): a, b"):
        attempt("two.h5")
    with pytest.raises(CropError, match="no array 'x'"):
        attempt("two.h5", dataset="x")
    for unreadable in ("text.h5", "cut.h5"):
        with pytest.raises(CropError, match="nor readable HDF5"):
            attempt(unreadable)
    for absent in ("absent.npy", "absent.h5sc", "absent"):
        with pytest.raises(CropError, match="no file of crops"):
            attempt(absent)
    with pytest.raises(CropError, match="cannot be read as CSV"):
        attempt(cells="absent.csv")
    with pytest.raises(CropError, match="does not tell the cells of a field apart"):
        attempt(label="moa")
    with pytest.raises(CropError, match="no column 'id'"):
        attempt(label="id")
    with pytest.raises(CropError, match=r"no column drug.*--column"):
        attempt(columns={"drug": "Metadata_Compound"})
    assert not (folder / "bad.h5ad").exists()


def test_real_cells(data, tmp_path):
    source = data / "bbbc021" / "crops"
    path = import_crops(
        source / "crops.h5", source / "cells.csv", tmp_path, channels=["DAPI", "Tubulin", "Actin"]
    )
    crops = Crops.open(path)
    table = pd.read_csv(source / "cells.csv")
    assert crops.shape == (4919, 3, 68, 68)
    assert crops.obs["Metadata_benchmark"].sum() == 1482
    assert (crops.obs["Metadata_MOA"].to_numpy() == table["moa"].to_numpy()).all()
    assert crops.obs["Metadata_Batch"].nunique() == 10
    with h5py.File(source / "crops.h5") as file:
        np.testing.assert_array_equal(crops.read([4918, 17]), file["crops"][[17, 4918]][::-1])


def test_genes_and_guides_are_known_and_a_gene_is_the_negative_control(foreign):
    folder, _, table = foreign
    genes = ["non-targeting", "KIF11"] * 3
    table.assign(compound="", gene=genes, Guide=1).to_csv(folder / "genes.csv", index=False)
    path = import_crops(
        folder / "crops.npy",
        folder / "genes.csv",
        folder / "genes.h5ad",
        channels=["DNA", "Actin"],
        negative_control="Non-Targeting",
    )
    obs = Crops.open(path).obs
    assert obs["Metadata_Gene"].tolist() == genes
    assert obs["Metadata_Guide"].tolist() == ["1"] * 6
    assert obs["Metadata_Control"].tolist() == ["negative", ""] * 3


def test_that_no_cell_is_the_negative_control_is_said(foreign, caplog):
    folder, _, table = foreign
    table.assign(compound="taxol").to_csv(folder / "taxol.csv", index=False)
    options = {"channels": ["DNA", "Actin"]}
    import_crops(folder / "crops.npy", folder / "taxol.csv", folder / "one.h5ad", **options)
    assert "no cell's compound is 'DMSO': no negative control is known" in caplog.text
    caplog.clear()
    import_crops(
        folder / "crops.npy",
        folder / "taxol.csv",
        folder / "two.h5ad",
        **options,
        negative_control="Taxol",
    )
    assert "negative control" not in caplog.text


def test_a_table_with_gaps_and_blanks(foreign, caplog):
    """A compound is no other one for a blank behind it, and a plate without a name takes the given one."""
    folder, _, table = foreign
    table["compound"] = ["DMSO ", "DMSO", " taxol", "taxol", "", ""]
    table["plate"] = ["P1", "", "P1 ", "P1", "P1", ""]
    table["control"] = ["Negative", "negcon", "", "", "", "positive"]
    row, column = table.pop("Well").str[0], table["moa"].map({"m": 3})
    table.assign(Row=row, Col=column).to_csv(folder / "gaps.csv", index=False)

    def imported(**options):
        path = import_crops(
            folder / "crops.npy",
            folder / "gaps.csv",
            folder / "out",
            channels=["DNA", "Actin"],
            **options,
        )
        return Crops.open(path).obs

    obs = imported()
    assert obs["Metadata_Compound"].tolist() == ["DMSO", "DMSO", "taxol", "taxol", "", ""]
    assert obs["Metadata_Plate"].tolist() == ["P1", folder.name, "P1", "P1", "P1", folder.name]
    assert obs["Metadata_Well"].tolist() == ["B03", "B03", "B03", "C03", "C03", "C03"]
    assert obs["Metadata_Control"].tolist() == ["negative", "negative", "", "", "", "positive"]
    assert obs.index[0] == "P1/B03/c0"
    assert set(imported(plate="P7")["Metadata_Plate"]) == {"P7"}
    assert "of plate" not in caplog.text
    table["plate"] = ["P1", "", "P1 ", "P1", "P2", ""]
    table.to_csv(folder / "gaps.csv", index=False)
    assert set(imported(plate="P7")["Metadata_Plate"]) == {"P7"}
    assert "are of plate P7, as asked for; the table says P1 and P2" in caplog.text


def test_what_a_table_does_not_tell_is_said(foreign, caplog):
    folder, _, table = foreign
    table = table.assign(Well="", concentration="low", control="vehicle")
    table.to_csv(folder / "odd.csv", index=False)
    import_crops(folder / "crops.npy", folder / "odd.csv", folder / "out", channels=["a", "b"])
    for said in (
        "names no wells (a column Well, or Row and Column): nothing is scored or drawn by well",
        "Metadata_Concentration holds 'low', so that wells cannot be ordered by dose",
        "Metadata_Control has vehicle: only negative and positive",
    ):
        assert said in caplog.text
    (folder / "latin.csv").write_bytes("Well,Dose µM\n".encode("latin1"))
    with pytest.raises(CropError, match=r"latin\.csv .* in UTF-8"):
        import_crops(folder / "crops.npy", folder / "latin.csv", folder / "o", channels=["a", "b"])
