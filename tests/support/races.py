"""Simultaneous acts, each in a thread with its own connection."""

import threading

from django.db import connections

from accounts.callers import Caller

THREADS = 20


PROCESS = Caller(process="test")


def at_once(work, count=THREADS):
    """Run `work(number)` in `count` threads that begin together, and return each result or exception."""
    barrier = threading.Barrier(count)
    results = [None] * count

    def run(number):
        try:
            barrier.wait(timeout=30)
            results[number] = work(number)
        except Exception as error:
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results
