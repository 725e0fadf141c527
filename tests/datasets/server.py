"""A local web server for tests of downloads, as well or ill behaved as a test wants it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml


@dataclass
class Page:
    """What lies at one path, and how it is served."""

    data: bytes
    ranges: bool = True  # answers Range with 206
    tagged: bool = True  # gives an ETag and heeds If-Range
    cuts: list[int] = field(default_factory=list)  # bytes after which answers break off, one each
    statuses: list[int] = field(default_factory=list)  # answers before the right one
    sized: bool = True  # gives a Content-Length, or else sends in chunks
    encoding: str = ""  # a Content-Encoding that is claimed
    pause: float = 0.0  # seconds after every 4 kB

    @property
    def tag(self):
        return f'"{sha256(self.data).hexdigest()[:16]}"'


@dataclass
class Site:
    """The server: its pages by name, and what was asked of it."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # name, Range
    most: int = 0  # answers at the same time
    now: int = 0

    def put(self, name, data, **how):
        self.pages[name] = Page(data, **how)
        return f"{self.address}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site: Site = self.server.site
        name, wanted = self.path.lstrip("/"), self.headers.get("Range", "")
        with self.server.lock:
            site.asked.append((name, wanted))
            site.now += 1
            site.most = max(site.most, site.now)
        try:
            page = site.pages.get(name)
            if page is None or page.statuses:
                self._say(404 if page is None else page.statuses.pop(0))
            else:
                self._serve(page, wanted)
        except OSError:
            self.close_connection = True  # the client is gone
        finally:
            with self.server.lock:
                site.now -= 1

    def _say(self, status, **headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": 0}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def _serve(self, page, wanted):
        start, size = 0, len(page.data)
        same = not page.tagged or self.headers.get("If-Range", page.tag) == page.tag
        if wanted and page.ranges and same:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= size:
                self._say(416, Content_Range=f"bytes */{size}")
                return
        body = page.data[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if page.tagged:
            self.send_header("ETag", page.tag)
        if page.encoding:
            self.send_header("Content-Encoding", page.encoding)
        if page.sized:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = page.cuts.pop(0) if page.cuts else None
        for at in range(0, len(body[:cut]), 4096):
            piece = body[:cut][at : at + 4096]
            self.wfile.write(piece if page.sized else b"%x\r\n%s\r\n" % (len(piece), piece))
            if page.pause:
                time.sleep(page.pause)
        if not page.sized and cut is None:
            self.wfile.write(b"0\r\n\r\n")
        if cut is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients are killed and interrupted here


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server in a thread until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.lock = threading.Lock()
    server.site = site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_manifest(folder, parts, **more):
    """Write a manifest; `parts` are lists of files by name."""
    values = {
        "version": 1,
        "name": "test",
        "title": "Made up",
        "homepage": "https://example.org/test",
        "licence": {"name": "CC0", "address": "https://example.org/licence"},
        "citation": "Nobody, 2020",
        **more,
        "parts": parts,
    }
    path = folder / "test.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path
