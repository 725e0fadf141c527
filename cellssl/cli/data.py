"""Commands around public data: data list, get, verify."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellssl.cli import options
from cellssl.cli.application import downloads
from cellssl.cli.shell import command, say, show_table, shown

if TYPE_CHECKING:
    from cellssl.datasets.downloads import Manifest

Name = Annotated[
    str, options.argument("A data set's name (`cellssl data list`), or a manifest's path.")
]
Parts = Annotated[
    list[str] | None,
    typer.Option(
        help="A part, or a pattern such as 'Week1_*'; may be repeated. (default: all parts)"
    ),
]


@command(downloads, "list")
def list_(
    name: Annotated[
        str | None, options.argument("One data set, with its parts, addresses and terms.")
    ] = None,
    folder: Annotated[
        Path,
        options.out_option(
            "The folder to look in, and in those below it that are called like a data set."
        ),
    ] = Path("data"),
) -> None:
    """List the data sets and weights that can be downloaded, and what of them is there."""
    from cellssl.datasets.downloads import load_manifest, manifest_names

    if name is not None:
        _show(load_manifest(name))
        return
    manifests = [load_manifest(known) for known in manifest_names()]
    rows = [[m.name, m.title, _size(m), m.licence.name, _here(m, folder)] for m in manifests]
    show_table("Data", ["name", "what", "size", "licence", "here"], rows)


@command(downloads, "get")
def get(
    name: Name,
    out: options.OutFolder,
    part: Parts = None,
    workers: Annotated[int, typer.Option(min=1, help="Files at the same time.")] = 4,
) -> None:
    """Download a data set, or what is missing of it; the same command again goes on where it stopped."""
    from cellssl.datasets.downloads import get_data
    from cellssl.words import listed

    obtained = get_data(name, out, parts=part, workers=workers, progress=shown())
    say(f"{len(obtained.got)} files got, {len(obtained.found)} were there: {out}")
    if obtained.unpublished:
        say(
            f"no full checksum is published for {listed(obtained.unpublished, most=3)}: the SHA-256 of this first "
            f"download is recorded in {out / 'checksums.json'} and held against from now on"
        )
    _say_terms(obtained.manifest, shlex.quote(str(out)))


@command(downloads, "verify")
def verify(
    name: Name,
    out: Annotated[Path, options.out_option("The folder that it was downloaded to.")],
    part: Parts = None,
) -> None:
    """Check size and hash of all that was downloaded; nothing is changed or fetched."""
    from cellssl.datasets.downloads import DataError, verify_data

    verified = verify_data(name, out, parts=part, progress=shown())
    for note in verified.notes:
        say(note)
    if verified.findings:
        listed = "\n".join(str(finding) for finding in verified.findings)
        raise DataError(
            f"{len(verified.findings)} of {verified.checked:,} files are not what they should be:\n{listed}"
        )
    say(f"{verified.checked:,} files are as they should be")


def _show(manifest: "Manifest") -> None:
    """Print all that a manifest says."""
    say(f"{manifest.name}: {manifest.title}")
    say(f"homepage: {manifest.homepage}")
    _say_terms(manifest, "FOLDER")
    rows = [
        [
            part,
            "–" if file.size is None else _megabytes(file.size),
            file.checksum or "none published",
            " or ".join(file.addresses),
        ]
        for part, files in manifest.parts.items()
        for file in files
    ]
    show_table("Parts", ["part", "size", "checksum", "address"], rows)


def _say_terms(manifest: "Manifest", folder: str) -> None:
    """Say under what licence data are, whom to cite, and what to do with a folder of them."""
    say(f"licence: {manifest.licence.name} ({manifest.licence.address})")
    say(f"cite: {manifest.citation}")
    for line in manifest.use:
        say(f"use it: {line.replace('FOLDER', folder)}")


def _size(manifest: "Manifest") -> str:
    total = manifest.total()
    return manifest.about or ("not known" if total is None else _megabytes(total))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.2f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def _here(manifest: "Manifest", folder: Path) -> str:
    """Say where a data set lies, and how much of it."""
    from cellssl.datasets.downloads import count_here

    files = len(list(manifest.files()))
    for place in (folder / manifest.name, folder):
        if count := count_here(manifest, place):
            return f"{place}: {count} of {files} files"
    return "–"
