"""A receiver of webhooks as a process of its own. It writes down what it gets before it answers, and answers as its path says.

`/ok` accepts; `/refuses` answers 500; `/gone` 410; `/moved` redirects to `/ok`; `/slow` answers late; `/drips` answers
a byte each half second; `/lies` sends what is not HTTP; `/as-told` does what the file beside the log says. With a query after
the path it is another address, which answers alike.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATUSES = {"/ok": 200, "/refuses": 500, "/gone": 410, "/moved": 302, "/slow": 200}


class Receiver:
    """The process, as a test sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it, at the same port as before."""
        self.process = subprocess.Popen([sys.executable, __file__, str(self.folder), str(self.port)])
        port = self.folder / "port"
        while not port.exists():
            time.sleep(0.02)
        self.port = int(port.read_text())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            (self.folder / "port").unlink(missing_ok=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def tell(self, path: str) -> None:
        """Have `/as-told` answer as another path."""
        (self.folder / "told").write_text(path)

    @property
    def got(self) -> list[dict]:
        """What it has got, in order: path, headers with small letters, and body, without a line that is being written."""
        log = self.folder / "log"
        whole = log.read_text().rpartition("\n")[0] if log.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    def types(self, path: str) -> list[str]:
        """The types of the events that a path has got, in order."""
        return [json.loads(one["body"])["type"] for one in self.got if one["path"] == path]


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    receiver = Receiver(folder)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()


class Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with (self.folder / "log").open("a") as log:
            log.write(json.dumps({"path": path, "headers": headers, "body": body}) + "\n")
        told = (self.folder / "told").read_text() if path == "/as-told" else path
        self.answer(told)

    def answer(self, told: str) -> None:
        if told == "/lies":
            self.wfile.write(b"220 mail.example.com ESMTP\r\n")
            return
        if told == "/slow":
            time.sleep(60)
        if told == "/drips":
            self.drip()
            return
        self.send_response(STATUSES[told])
        if told == "/moved":
            self.send_header("Location", "/ok")
        self.end_headers()
        self.wfile.write(b"thanks")

    def drip(self) -> None:
        for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200:
            self.wfile.write(bytes([letter]))
            self.wfile.flush()
            time.sleep(0.5)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def main(folder: Path, port: int) -> None:
    Handler.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    (folder / "port.new").write_text(str(server.server_port))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
