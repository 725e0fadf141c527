"""Public names of a package that are loaded at first use: nobody waits for what he does not call."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["at_first_use"]


def at_first_use(
    package: str, homes: Mapping[str, str], *, rooms: Sequence[str] = ()
) -> Callable[[str], Any]:
    """Give a package's ``__getattr__``.

    Parameters
    ----------
    package : str
        Its name.
    homes : mapping
        Public name → the module of the package that holds it.
    rooms : sequence of str
        Packages inside of it, which are names of it, too.

    Examples
    --------
    >>> at_first_use("cellssl", {"bar": "progress"})("bar").__module__
    'cellssl.progress'
    """

    def load(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        if name in rooms:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load
