"""Brokers for tests of EXECUTOR=celery: a Redis of their own, and the RabbitMQ that this machine has, if it has one."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")
NO_REDIS = "neither redis-server nor valkey-server is installed"
RABBITMQ = ("127.0.0.1", 5672)
NO_RABBITMQ = "no RabbitMQ listens at port 5672 of this machine"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listens(address: tuple[str, int]) -> bool:
    with socket.socket() as one:
        return one.connect_ex(address) == 0


class Redis:
    """A Redis that keeps nothing on disk: killing it loses all messages."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS is not None, NO_REDIS
        with tempfile.TemporaryDirectory() as folder:
            options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
            self._process = subprocess.Popen([REDIS, *options], stdout=subprocess.DEVNULL, start_new_session=True)
            end = time.monotonic() + 20
            while not listens(("127.0.0.1", self.port)):
                assert time.monotonic() < end and self._process.poll() is None
                time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def own_redis(port: int | None = None) -> Iterator[Redis]:
    redis = Redis(port or free_port())
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()
