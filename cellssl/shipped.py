"""What comes with cellssl, found by name: protocols, studies and manifests; without loading anything."""

import os
from pathlib import Path

from cellssl.arguments import one_path
from cellssl.errors import ProtocolError, nearest


def _folder(package: str, checkout: str) -> Path:
    """Find what is shipped inside an installed package, or at the root of a checkout."""
    shipped = Path(__file__).parent / package
    return shipped if shipped.is_dir() else Path(__file__).parents[1] / checkout


PROTOCOLS = _folder("protocols/shipped", "protocols")
STUDIES = PROTOCOLS / "studies"
MANIFESTS = _folder("datasets/manifests", "data_manifests")


def shipped_names(folder: Path) -> list[str]:
    """List by name the files that lie in one of the folders above."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def protocol_names() -> list[str]:
    """List the names of the protocols that come with cellssl.

    Examples
    --------
    >>> "bbbc021-expert" in protocol_names()
    True
    """
    return shipped_names(PROTOCOLS)


def protocol_file(name: str | Path, folder: Path | None = None) -> Path:
    """Tell a path from a name: an existing file, or anything that looks like a path, is a path.

    Parameters
    ----------
    name : str or path
    folder : path, optional
        Where a path begins.

    Raises
    ------
    ProtocolError
        When there is none, with the names that there are.

    Examples
    --------
    >>> protocol_file("bbbc021-expert").name
    'bbbc021-expert.yaml'
    """
    given = one_path(name, "a protocol, its name or its file", error=ProtocolError)
    path = (folder or Path()) / given
    if path.is_file():
        return path
    looks_like_path = path.suffix in (".yaml", ".yml") or os.sep in str(name)
    known = protocol_names()
    if isinstance(name, str) and not looks_like_path:
        shipped = PROTOCOLS / f"{name}.yaml"
        if shipped.is_file():
            return shipped
        beside = path.with_name(f"{path.name}.yaml")
        if beside.is_file():
            raise ProtocolError(
                f"no protocol that comes with cellssl is called {name!r}; a file {beside} is there: give its path"
            )
        raise ProtocolError(
            f"no protocol is called {name!r}{nearest(name, known, listed=True)} "
            f"(shipped: {', '.join(known)}; or give the path of a .yaml file)"
        )
    if path.is_dir():
        raise ProtocolError(f"{path} is a folder; give the protocol file in it")
    raise ProtocolError(f"{path} does not exist; give a .yaml file, or one of: {', '.join(known)}")
