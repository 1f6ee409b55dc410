"""Files of documents as work that is due: those that are owed, and those whose pause after a failure is over."""

from invoices.models import Worker
from invoices.services.printing.files import make_owed_files
from invoices.services.work.registry import CannotGoOn, KindOfWork

AT_ONCE = 20
SECONDS = 5.0
"""A batch is small, so that other work is not kept waiting. A file takes less than a second, one of 2,000 lines several."""


def do_batch(worker: Worker) -> bool:
    """Make the next owed files. Says whether there were any. Rests if the storage or the library that makes them is missing."""
    done = make_owed_files(limit=AT_ONCE, seconds=SECONDS)
    if done.given_up:
        raise CannotGoOn(done.given_up)
    return bool(done.made + done.failed)


FILES = KindOfWork("files", do_batch, can_wait=True)
