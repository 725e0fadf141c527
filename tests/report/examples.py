"""Reading figures."""

import matplotlib as mpl
from matplotlib.figure import Figure


def texts(figure: Figure) -> str:
    """All that is written on a figure."""
    figure.draw_without_rendering()
    return "\n".join(item.get_text() for item in figure.findobj(mpl.text.Text))
