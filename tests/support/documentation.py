"""Run the commands and requests of a documentation page as a reader would, in one shell against a running server.

A block marked ```sh is run. A ```json block after it is a part of the answer to its last request; a ```text block after it are
lines of its output. A block below `<!-- not run: why -->` is not run. The server has another address than on the pages, the
database is a temporary one, and `make` only prints its commands.
"""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?P<before><!-- not run: [^>]*-->\n+)?^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S)
OF_THE_TESTS = ("SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_ALLOW_ASYNC_UNSAFE")
"""Variables of the test environment that a reader does not have."""
PREPARED = """\
set -e
make() { command make --dry-run "$@"; }
"""
"""Commands before the first block. `make` would install and serve, so it only prints its commands here."""


class Block(NamedTuple):
    """A command of a page, and the answer that the page shows."""

    commands: str
    answer: dict[str, Any] | None
    """Part of the JSON answer to its last request."""
    lines: tuple[str, ...]
    """Parts of output lines, in their order."""


def blocks_of(page: Path) -> list[Block]:
    """Return the commands of a page in their order."""
    blocks: list[Block] = []
    was_run = False
    for found in BLOCK.finditer(page.read_text()):
        language, text = found["language"], found["text"]
        if language == "sh" and not found["before"]:
            blocks.append(Block(text, None, ()))
        elif language == "json" and was_run:
            blocks[-1] = blocks[-1]._replace(answer=json.loads(text))
        elif language == "text" and was_run:
            blocks[-1] = blocks[-1]._replace(lines=tuple(line.strip() for line in text.splitlines() if line.strip()))
        was_run = language == "sh" and not found["before"]
    return blocks


class Site(NamedTuple):
    """A running server, and the database that it shares with the commands."""

    folder: Path
    port: int

    @property
    def database(self) -> Path:
        return self.folder / "live.sqlite3"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OF_THE_TESTS}
        return {
            **kept,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "DEBUG": "1",
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(self.folder / "mails"),
            "SANDBOX_GATEWAY_FILE": str(self.folder / "gateway.sqlite3"),
            "DOCUMENTS_FOLDER": str(self.folder / "documents"),
            "DJANGO_SUPERUSER_PASSWORD": "a-password-of-the-tests",
        }

    def restore(self, world: Path) -> None:
        """Replace the database by a stored copy, and reset the sandbox gateway."""
        (self.folder / "gateway.sqlite3").unlink(missing_ok=True)
        copy(world, self.database)

    def store(self, world: Path) -> None:
        copy(self.database, world)


def copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)
    one.close()
    other.close()


@contextmanager
def served(folder: Path, world: Path) -> Iterator[Site]:
    """Run a server on a copy of the data until the block ends."""
    site = site_on(folder, world)
    with started(site, "runserver", "--noreload", "--no-worker", str(site.port)):
        yield site


def site_on(folder: Path, world: Path) -> Site:
    """A site on a copy of the data, at a free port. Nothing serves it yet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        site = Site(folder, free.getsockname()[1])
    site.restore(world)
    return site


@contextmanager
def started(site: Site, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of manage.py that serves a site, until the block ends. It answers when the block begins."""
    command = [sys.executable, "manage.py", *arguments]
    with (site.folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=site.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(f"http://127.0.0.1:{site.port}/healthz", server)
            yield server
        finally:
            server.terminate()
            server.wait()


def wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(1800):
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=10).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def run(site: Site, key: str, blocks: Sequence[Block]) -> list[str]:
    """Run blocks in one shell, and return the output of each.

    Raises an error at the first command that fails, unless the page says that it is refused.
    """
    for file in site.folder.glob("*.out"):
        file.unlink()
    script = [PREPARED]
    for number, block in enumerate(blocks):
        text = commands_for(site, key, block.commands)
        refused = block.answer is not None and block.answer.get("error_code", 0) != 0
        script.append(f"{{\n{text}\n}} > {site.folder}/{number}.out {'|| true' if refused else ''}")
    done = subprocess.run(["bash"], input="\n".join(script), cwd=ROOT, env=site.environment, capture_output=True, text=True)
    printed = [file.read_text() for number in range(len(blocks)) if (file := site.folder / f"{number}.out").exists()]
    assert done.returncode == 0, (blocks[len(printed) - 1].commands, printed[-1], done.stderr)
    return printed


def key_in(printed: Sequence[str]) -> str:
    """Return the key that `create_client` printed."""
    (key,) = re.findall(r"^auth_key +(\S+)$", "\n".join(printed), re.M)
    return str(key)


def commands_for(site: Site, key: str, text: str) -> str:
    """Return the commands with this Python, this port, files elsewhere, and the key that `create_client` printed."""
    text = text.replace(".venv/bin/python", sys.executable).replace("127.0.0.1:8000", f"127.0.0.1:{site.port}")
    text = re.sub(r"postgres://\S+", f"sqlite:///{site.database}", text)
    text = re.sub(r"(?<=[ =])(billing\.backup|backup\.key)", rf"{site.folder}/\1", text)
    text = text.replace("YOUR-KEY", key or f"$(sed -n 's/^auth_key  *//p' {site.folder}/*.out)")
    return text.replace(" createsuperuser", " createsuperuser --noinput --email a@example.com")


def check_answer(block: Block, printed: str) -> None:
    """Check that the answer and the output contain what the page shows."""
    if block.answer is not None:
        assert differences(block.answer, last_json(printed)) == [], block.commands
    rest = printed
    for line in block.lines:
        assert line in rest, (block.commands, line, printed)
        rest = rest.split(line, 1)[1]


def last_json(printed: str) -> Any:
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    assert lines, printed
    return json.loads(lines[-1]) if len(lines[-1]) > 1 else json.loads(printed)


def differences(shown: Any, answered: Any, place: str = "") -> list[str]:
    """Return where an answer differs from the part that is shown. Lists are shown completely."""
    if isinstance(shown, dict) and isinstance(answered, dict):
        return [one for name in shown for one in differences(shown[name], answered.get(name, "(none)"), f"{place}.{name}")]
    if isinstance(shown, list) and isinstance(answered, list) and len(shown) == len(answered):
        pairs = enumerate(zip(shown, answered, strict=True))
        return [one for number, (left, right) in pairs for one in differences(left, right, f"{place}[{number}]")]
    return [] if shown == answered else [f"{place}: {shown!r} is shown, {answered!r} was answered"]
