"""`python -m tests.killing_celery KILLS ACCOUNTS [restart]`: as tests.killing_runs, by EXECUTOR=celery and its own Redis.

Workers of Celery are killed whole, or one of their processes is. Beat is killed once, and so is the broker: all messages are
lost, while the runs go on and another begins. The rows say what is left to do.
"""

import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support import brokers
from tests.support.brokers import NO_REDIS, Redis, free_port

REDIS = Redis(free_port())
os.environ |= {"EXECUTOR": "celery", "BROKER_URL": REDIS.url}

from tests import killing_runs  # noqa: E402 isort: skip, sets Django up

from django.db import connection  # noqa: E402 isort: skip

from billing_site.celery import app  # noqa: E402
from invoices import tasks  # noqa: E402
from invoices.services.work import waking  # noqa: E402

NO_POSTGRESQL = "several workers of Celery need PostgreSQL"


def hurry() -> None:
    app.conf.beat_schedule["sweep"]["schedule"] = 0.5
    tasks.MESSAGE_SECONDS = 1.5
    waking.REST_SECONDS = 1.0


def service(*arguments: str) -> Callable[[], None]:
    """What a service manager does: it runs a command of Celery, and runs it again when it has ended. Celery ends by itself when
    one of its processes is killed that has not started yet."""

    def run() -> None:
        while True:
            child = os.fork()
            if child == 0:
                app.start(["--quiet", *(one.format(pid=os.getpid()) for one in arguments), "--loglevel", "CRITICAL"])
                os._exit(0)
            os.waitpid(child, 0)

    return run


worker = service("worker", "--concurrency", "2", "--hostname", "{pid}@%h")
beat = service("beat", "--pidfile", "")


class Celery(killing_runs.Workers):
    """Two workers with two processes each, beat, and a broker."""

    def begin(self) -> None:
        hurry()
        REDIS.start()
        self.running = [killing_runs.fork(worker) for _ in range(2)]
        self._beat = killing_runs.fork(beat)

    def kill_one(self, nth: int, kills: int) -> None:
        """Kill a worker, or one of its processes; once the broker, and once beat."""
        victim = random.randrange(2)
        processes = [process for main in children_of(self.running[victim]) for process in children_of(main)]
        if processes and random.random() < 0.5:
            os.kill(random.choice(processes), signal.SIGKILL)
        else:
            killing_runs.kill(self.running.pop(victim))
            self.running.append(killing_runs.fork(worker))
        if nth == (kills + 2) // 3:
            REDIS.kill()
            REDIS.start()
        if nth == (2 * kills + 2) // 3:
            killing_runs.kill(self._beat)
            self._beat = killing_runs.fork(beat)

    def end(self) -> None:
        super().end()
        killing_runs.kill(self._beat)
        REDIS.kill()


def children_of(process: int) -> list[int]:
    """The processes that a process has started. None if it has ended."""
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


if __name__ == "__main__":
    if missing := NO_REDIS if brokers.REDIS is None else NO_POSTGRESQL if connection.vendor == "sqlite" else "":
        print(f"left out: {missing}")
        sys.exit()
    killing_runs.main(int(sys.argv[1]), int(sys.argv[2]), "restart" in sys.argv[3:], Celery())
