"""Whether cells were pictured as large as others that they are compared with."""

import logging

from cellssl.crops.store import Crops

_LOG = logging.getLogger(__name__)
_UNLIKE = 1.4  # ratio of usual diameters: of treatments it is less, of 40x and 60x 1.5


def compare_magnification(crops: Crops, nucleus: float, *, of: str) -> str:
    """Say when a file's nuclei are far wider or narrower than others: all its cells look unlike those.

    Parameters
    ----------
    crops : Crops
        Cells whose nuclei's areas may be known.
    nucleus : float
        Usual diameter of the others' nuclei in pixels; 0 where it is not known.
    of : str
        Where those are, such as "in plate1/crops.h5ad".

    Returns
    -------
    str
        What was said; "" where they are alike.
    """
    if not (nucleus and crops.nucleus):
        return ""
    text = unlike_nuclei(crops.nucleus, nucleus, where=f"in {crops.path}", of=of)
    if text:
        _LOG.warning("%s", text)
    return text


def unlike_nuclei(nucleus: float, other: float, *, where: str, of: str) -> str:
    """Give what to say when nuclei are usually far wider or narrower than others; "" where they are alike.

    Parameters
    ----------
    nucleus, other : float
        Usual diameters in pixels, more than 0.
    where, of : str
        Where the ones are, and the others, such as "on plate P1".
    """
    ratio = nucleus / other
    if max(ratio, 1 / ratio) <= _UNLIKE:
        return ""
    return (
        f"nuclei are usually {nucleus:.0f} px across {where}, and {other:.0f} px {of}: images of another "
        "magnification? Crop each by itself with the --binning that makes them alike, and put them together with "
        "`cellssl crops join`"
    )
