"""A cells' table: columns of places, areas and treatments, and columns found by the name that a person gives them."""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cellssl.words import listed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


PLATE, WELL, SITE = "Metadata_Plate", "Metadata_Well", "Metadata_Site"
FIELD = [PLATE, WELL, SITE]  # what names a field
CENTRE = ["Metadata_Center_X", "Metadata_Center_Y"]  # of a cell in its field, in pixels
LABEL = "Metadata_Label"  # of a cell: its number in its field
OF_CELLS = (LABEL, *CENTRE)  # what tells cells of one field apart
AREA = "Area_Nucleus"  # in pixels of the crops
BATCH = "Metadata_Batch"
COMPOUND, CONCENTRATION = "Metadata_Compound", "Metadata_Concentration"
GENE, GUIDE = "Metadata_Gene", "Metadata_Guide"
MECHANISM = "Metadata_MOA"
CONTROL = "Metadata_Control"

# What acts on the cells, and what its treatments differ in; the first that the cells name.
TREATMENTS = (
    (COMPOUND, CONCENTRATION),
    (GENE, GUIDE),
)

_LOG = logging.getLogger(__name__)

TEXTS = ("object", "str")  # what pandas 2 and pandas 3 call a column of texts
_PREFIX = re.compile(r"^(image_)?metadata_", re.IGNORECASE)


def is_text(column: "pd.Series") -> bool:
    """Say whether a column is of the type that texts have, under pandas 2 or 3.

    Examples
    --------
    >>> import pandas as pd
    >>> is_text(pd.Series(["DMSO", None])), is_text(pd.Series([1.5]))
    (True, False)
    """
    return str(column.dtype) in TEXTS


def texts_of(column: "pd.Series") -> "pd.Series[str]":
    """Give a column as texts without margins, empty where nothing is known.

    Of pandas itself a gap becomes "nan" in version 2, and stays one in version 3.

    Examples
    --------
    >>> import pandas as pd
    >>> texts_of(pd.Series([" 0.5", None, 3])).tolist()
    ['0.5', '', '3']
    """
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()


def text_array(texts: "pd.Series | pd.Index") -> "NDArray[np.str_]":
    """Give texts as an array of NumPy's own; through objects, since pandas 3 may cut those beside a gap.

    Examples
    --------
    >>> import pandas as pd
    >>> text_array(pd.Index(["A01", "B2"])).tolist()
    ['A01', 'B2']
    """
    return texts.to_numpy(dtype=object).astype(str)


def row_names(table: "pd.DataFrame") -> list[str]:
    """Name each row by its values joined by ``/``: of a cell's place and number its name.

    Examples
    --------
    >>> import pandas as pd
    >>> row_names(pd.DataFrame({"Metadata_Plate": ["P1"], "Metadata_Well": ["A01"], "Site": [2]}))
    ['P1/A01/2']
    """
    parts = [text_array(table[name]).tolist() for name in table]
    return ["/".join(row) for row in zip(*parts, strict=True)]


def unit_column(doses: str) -> str:
    """Name the column that says in what unit doses are, as mantispy calls it.

    Examples
    --------
    >>> unit_column("Metadata_Concentration")
    'Metadata_ConcentrationUnit'
    """
    return f"{doses}Unit"


def agent_column(obs: "pd.DataFrame") -> str | None:
    """Find the column that names what acts on the cells, a compound or a gene; None where none does.

    Examples
    --------
    >>> import pandas as pd
    >>> agent_column(pd.DataFrame({"Metadata_Compound": ["", None], "Metadata_Gene": ["TP53", ""]}))
    'Metadata_Gene'
    """
    for agent, _ in TREATMENTS:
        if agent in obs.columns and (texts_of(obs[agent].drop_duplicates()) != "").any():
            return agent
    return None


def say_alike_names(
    names: "pd.Series", column: str, *, mend: str = "give them one spelling"
) -> None:
    """Say which names differ in capitals or blanks alone: whether they are one is not known."""
    texts = sorted(set(texts_of(names)), key=lambda text: (_without_blanks(text), text))
    counts = Counter(map(_without_blanks, texts))
    alike = [text for text in texts if counts[_without_blanks(text)] > 1]
    if alike:
        _LOG.warning(
            "%s: names that differ in capitals or blanks alone count as different ones: %s. Where they are "
            "one, %s",
            column,
            listed(alike),
            mend,
        )


def _without_blanks(name: str) -> str:
    """Give a name in small letters without blanks; `é` of one sign or of two, and both signs for µ, are one."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def bare_name(column: object) -> str:
    """Leave out ``Metadata_`` or CellProfiler's ``Image_Metadata_``, in any case.

    Examples
    --------
    >>> bare_name("Image_Metadata_Plate")
    'Plate'
    """
    return _PREFIX.sub("", str(column))


def find_column(columns: Iterable[object], name: str) -> str | None:
    """Find a column in any case, with or without ``Metadata_`` or CellProfiler's ``Image_Metadata_``.

    Examples
    --------
    >>> find_column(["Metadata_MOA", "Area_Nucleus"], "moa")
    'Metadata_MOA'
    """
    lower = {str(column): str(column).lower() for column in columns}
    exact = (column for column, text in lower.items() if text == name.lower())
    bare = bare_name(name.lower())
    alike = (column for column, text in lower.items() if bare_name(text) == bare)
    return next(exact, None) or next(alike, None)


def plain_name(column: object) -> str:
    """Reduce a column's name to what is compared: small letters, without prefix and marks between words.

    A `%` stays: of `% Control` it says that numbers are meant.

    Examples
    --------
    >>> plain_name("Metadata_Mechanism of_action"), plain_name("% Control")
    ('mechanismofaction', '%control')
    """
    return re.sub(r"[^\w%]|_", "", bare_name(column)).lower()


def find_synonym(columns: Iterable[object], names: Iterable[str]) -> str | None:
    """Find the column that has the first of several usual names for one thing, which are as `plain_name` writes them.

    Examples
    --------
    >>> find_synonym(["Well", "Drug_name", "drugname"], ["treatment", "drugname"])
    'Drug_name'
    """
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(plain_name(column), str(column))  # of those written alike the first
    return next((plain[name] for name in names if name in plain), None)
