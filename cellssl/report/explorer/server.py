"""A server for this machine alone: the page, and each cell's picture when it is asked for."""

import re
import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cellssl.errors import CellsslError

LOOPBACK = "127.0.0.1"


def make_server(
    page: str, picture: Callable[[int], bytes | None], *, port: int = 0
) -> tuple[ThreadingHTTPServer, str]:
    """Open a server on the loopback interface.

    It answers two kinds of address below a secret that is drawn for each server, so that other users of the machine
    and other pages in the browser cannot read it: the page, and ``crops/<number>.jpg``. No address names a file.

    Parameters
    ----------
    page
        The HTML.
    picture
        Gives a cell's JPEG by its number; None where there is none.
    port
        0 takes a free one.

    Returns
    -------
    server, address
        ``server.serve_forever()`` answers until it is interrupted.

    Raises
    ------
    CellsslError
        When the port is taken.
    """
    secret = secrets.token_urlsafe(16)
    body = page.encode("utf-8")
    crop = re.compile(rf"/{re.escape(secret)}/crops/(\d{{1,9}})\.jpg")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = crop.fullmatch(self.path)
            if self.path == f"/{secret}/":
                self._answer(body, "text/html; charset=utf-8")
            elif found and (file := picture(int(found[1]))) is not None:
                self._answer(file, "image/jpeg")
            else:
                self.send_error(404)

        def _answer(self, content: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "private, max-age=3600")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a gallery asks for dozens of pictures."""

    try:
        server = ThreadingHTTPServer((LOOPBACK, port), Handler)
    except OSError as error:
        raise CellsslError(
            f"port {port} cannot be used ({error.strerror}): give another with --port, or none"
        ) from error
    return server, f"http://{LOOPBACK}:{server.server_port}/{secret}/"
