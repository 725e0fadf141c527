"""What every command shares: quiet and debug flags, errors without traceback, a console."""

import dataclasses
import errno
import inspect
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_type_hints

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperOption
from typer.models import OptionInfo

from cellssl.cli.tables import fitted_tables
from cellssl.errors import CellsslError, StoppedError
from cellssl.progress import console

Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bars, no messages; errors only.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

_LOG = logging.getLogger("cellssl")
# Set by torchrun, SLURM and Fabric in each process.
_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
_NO_TEXT = re.compile("[\ud800-\udfff]")  # what stands in a name for bytes that are no UTF-8
# What the help calls a value; numbers x, as the range that stands behind them does. A flag takes none.
_VALUES = {bool: "", int: "x", float: "x", Path: "PATH", str: "TEXT"}
_PIPE_WIDTH = 140  # columns of a table that goes to a file


def command(
    app: typer.Typer, name: str, *, panel: str | None = None
) -> Callable[[Callable], Callable]:
    """Register a function as a command that also takes ``--quiet`` and ``--debug``, in a part of the help.

    A parameter annotated with a dataclass stands for all its fields: each becomes an option, in a part of the help that
    its docstring heads, and the function gets the dataclass. Whatever the function raises ends as one line on standard
    error and a non-zero exit status.
    """

    def register(function: Callable) -> Callable:
        own = inspect.signature(function, eval_str=True).parameters.values()
        groups: dict[str, Any] = {
            p.name: p.annotation for p in own if dataclasses.is_dataclass(p.annotation)
        }

        def guarded(*, quiet: bool, debug: bool, **options: Any) -> None:
            _start_logging(quiet=quiet)
            asked: list[signal.Signals] = []
            try:
                for parameter, group in groups.items():
                    fields = dataclasses.fields(group)
                    options[parameter] = group(**{f.name: options.pop(f.name) for f in fields})
                with _stops_as_by_ctrl_c(asked):
                    function(**options)
            except typer.Exit:
                raise
            except KeyboardInterrupt as stop:
                what = f"stopped by {asked[0].name}" if asked else "interrupted"
                status = 128 + (asked or [signal.SIGINT])[0]
                refuse(
                    str(stop) or f"{what}; the same command again goes on from what there is",
                    status,
                )
            except StoppedError as stop:
                refuse(str(stop), 128 + stop.number)
            except Exception as error:  # noqa: BLE001 - the program's last frame: nothing may pass it
                if debug:
                    console.print_exception()
                refuse(_describe(error))

        parameters = [flat for parameter in own for flat in _flatten(parameter)]
        flags = [_option("quiet", Quiet, False), _option("debug", Debug, False)]
        guarded.__name__, guarded.__doc__ = function.__name__, function.__doc__
        guarded.__signature__ = inspect.Signature(parameters + flags)  # type: ignore[attr-defined]
        guarded.__annotations__ = {p.name: p.annotation for p in parameters + flags}
        app.command(name, cls=_Once, rich_help_panel=panel)(guarded)
        return function

    return register


@contextmanager
def _stops_as_by_ctrl_c(asked: list[signal.Signals]) -> Iterator[None]:
    """Let a scheduler's SIGTERM, and the SIGHUP of a closed terminal, end the block as Ctrl-C does, and note them.

    What nohup or a shell had ignored stays so.
    """

    def stop(number: int, _: object) -> None:
        asked.append(signal.Signals(number))
        signal.raise_signal(signal.SIGINT)  # which is held back where it would do harm

    def interrupt(_: int, __: object) -> None:
        if asked:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # no other is told of signals
        yield
        return
    there = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers: dict[signal.Signals, Callable[[int, object], None]] = {
        number: stop for number in there if signal.getsignal(number) == signal.SIG_DFL
    }
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as of a shell's background job
        handlers[signal.SIGINT] = interrupt
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Once(TyperCommand):
    """Refuses an option that is given twice but holds one value: the first would be dropped without a word."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            single = isinstance(option, TyperOption) and not (option.multiple or option.is_flag)
            if single and given.count(option) > 1:
                refuse(
                    f"{option.opts[0]} is given {given.count(option)} times and takes one value: give it once"
                )
        return super().parse_args(ctx, args)


def _flatten(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Give a dataclass parameter as one option per field, under its own heading; any other as it stands."""
    group = parameter.annotation
    if not dataclasses.is_dataclass(group):
        return [_option(parameter.name, group, parameter.default)]
    hints = get_type_hints(group, include_extras=True)
    heading = str(group.__doc__).rstrip(".")
    return [
        _option(f.name, _under(heading, hints[f.name]), f.default)
        for f in dataclasses.fields(group)
    ]


def _under(heading: str, annotation: Any) -> Any:
    """Put an option into a part of the help of its own."""
    kind, about = get_args(annotation)
    own = copy(about)
    own.rich_help_panel = heading
    return Annotated[kind, own]


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=_worded(annotation), default=default
    )


def _worded(annotation: Any) -> Any:
    """Let the help say what an option takes in few letters that are no programmer's, so that its words have room."""
    kind, about = get_args(annotation)
    if not isinstance(about, OptionInfo):
        return annotation
    own = copy(about)
    own.metavar = _value(kind)
    return Annotated[kind, own]


def _value(kind: Any) -> str | None:
    """Give what the help calls a value, one of several, or one that may be left out."""
    if kind in _VALUES:
        return _VALUES[kind]
    return next((value for part in get_args(kind) if (value := _value(part)) is not None), None)


class _Messages(logging.Handler):
    """Prints messages as plain lines, each once in a command; warnings are marked."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message."""
        text, warns = record.getMessage(), record.levelno >= logging.WARNING
        if text in self._said:
            return
        self._said.add(text)
        text = f"{record.levelname.lower()}: {text}" if warns else text
        console.print(text, markup=False, style="yellow" if warns else None)


def _start_logging(*, quiet: bool) -> None:
    """Send cellssl's messages to standard error; only errors when quiet.

    Of several processes that train together, only the first speaks.
    """
    quiet = quiet or any(os.environ.get(rank, "0") != "0" for rank in _RANKS)
    _LOG.handlers = [_Messages()]
    _LOG.setLevel(logging.ERROR if quiet else logging.INFO)
    _LOG.propagate = False


def shown() -> bool:
    """Whether messages and progress bars are shown (not ``--quiet``)."""
    return _LOG.level < logging.ERROR


def say(message: object) -> None:
    """Print to standard output unless the command is quiet."""
    if shown():
        Console(highlight=False, soft_wrap=True).print(message, markup=False)


def show_table(title: str, columns: Iterable[object], rows: Iterable[Iterable[object]]) -> None:
    """Print a table unless the command is quiet; a file or pipe gets wide lines."""
    if not shown():
        return
    page = Console(highlight=False)
    if not page.is_terminal:
        page.width = max(page.width, _PIPE_WIDTH)
    page.print(title, style="italic", markup=False)
    lines = [[str(cell) for cell in line] for line in [columns, *rows]]
    for table in fitted_tables(list(zip(*lines, strict=True)), page.width):
        page.print()
        page.print(table)
    page.print()


def refuse(text: str, status: int = 1) -> NoReturn:
    """End the program with one line that says what is wrong."""
    console.print(f"error: {text}", markup=False, style="red")
    raise typer.Exit(status) from None


def _describe(error: Exception) -> str:
    """Say in plain words what went wrong."""
    if isinstance(error, CellsslError):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        where = f" for {error.filename}" if error.filename else ""
        return (
            f"no space is left on the disk{where}. What is finished is kept: make room and give the same "
            "command again."
        )
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
    if isinstance(error, MemoryError) or str(error) == "can't start new thread":
        return (
            f"too little memory, or too many threads ({error or 'out of memory'}). Close other programs, raise the "
            "limits, or ask for fewer workers or smaller batches."
        )
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        name = next(filter(_NO_TEXT.search, error.object.replace(",", "\n").splitlines()))
        return (
            f"a file or folder has a name that is not UTF-8 ({os.fsencode(name)!r}), as from an archive of another "
            "system. Rename it; for many: convmv -f latin1 -t utf8 -r --notest FOLDER"
        )
    if "no locator available" in str(error):  # as Numba says it
        return (
            "there is no folder to keep compiled functions in, as neither the home folder nor Python's packages can "
            "be written to. Name one that can: export NUMBA_CACHE_DIR=/tmp/numba"
        )
    return (
        f"{type(error).__name__}: {error}\n"
        "This is a fault of cellssl, not yours: please report it with the output of --debug."
    )
