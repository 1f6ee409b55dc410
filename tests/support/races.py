"""Acts that begin together, each in a thread and on a connection of its own."""

import threading

from django.db import connections

from accounts.callers import Caller

THREADS = 20


PROCESS = Caller(process="test")


def at_once(work, count=THREADS):
    """Runs `work(number)` in so many threads that begin together, and gives what each returned or raised."""
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
