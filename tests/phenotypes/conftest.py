import anndata as ad
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def make_embedding():
    """Simulate a screen: 3 plates of 8 wells of 6 cells, four compounds of two classes, DMSO."""
    return build


def build(name="sim", *, seed=0, signal=3.0, plate_effect=0.0, features=12, **provenance):
    treatments = [
        ("DMSO", 0.0, "DMSO", "negative"),
        ("DMSO", 0.0, "DMSO", "negative"),
        ("taxol", 0.3, "Stabiliser", ""),
        ("taxol", 3.0, "Stabiliser", ""),
        ("docetaxel", 1.0, "Stabiliser", ""),
        ("latrunculin", 1.0, "Actin", ""),
        ("latrunculin", 10.0, "Actin", ""),
        ("cytochalasin", 1.0, "Actin", ""),
    ]
    rows = [
        (f"W{plate}_1", f"A{well + 1:02}", 1, f"W{plate}", *treatment, cell + 1)
        for plate in range(3)
        for well, treatment in enumerate(treatments)
        for cell in range(6)
    ]
    columns = ["Plate", "Well", "Site", "Batch", "Compound", "Concentration", "MOA", "Control"]
    obs = pd.DataFrame(rows, columns=[f"Metadata_{name}" for name in [*columns, "Label"]])
    parts = obs[["Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Label"]]
    obs.index = parts.astype(str).agg("/".join, axis=1)
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(3, features))
    kinds = obs["Metadata_MOA"].map({"DMSO": 0, "Stabiliser": 1, "Actin": 2}).to_numpy()
    X = rng.normal(size=(len(obs), features))
    X += signal * np.where(kinds[:, None] > 0, directions[kinds], 0)
    X += plate_effect * rng.normal(size=(3, features))[obs["Metadata_Plate"].factorize()[0]]
    return ad.AnnData(X.astype(np.float32), obs=obs, uns={"cellssl": {"name": name, **provenance}})
