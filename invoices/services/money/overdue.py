"""Write an event for each document that becomes overdue, once."""

from datetime import date

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.trail import Act, record_acts
from invoices.calculation import amount_text
from invoices.models import Invoice, OverdueWatch, Worker
from invoices.services.money.ledger.open_items import open_invoices
from invoices.services.work.registry import KindOfWork

OVERDUE = "invoice.overdue"
WATCHER = Caller(process="overdue")
AT_ONCE = 500


def do_batch(worker: Worker) -> bool:
    """Write the events of at most 500 documents of a client whose day has begun. Says whether there was such a client."""
    for client in Client.objects.select_related("overdue_watch").order_by("pk"):
        today = clock.today(client)
        watch = getattr(client, "overdue_watch", None)
        if (watch is None or watch.day < today) and note_overdue(client, today):
            return True
    return False


@transaction.atomic
def note_overdue(client: Client, today: date) -> bool:
    """Write the events of the next documents that are overdue without one. False if another worker does it now.

    A document is overdue from the day after its due date on, while something is open on it."""
    OverdueWatch.objects.get_or_create(client=client, defaults={"day": date.min})
    skip_locked = connection.features.has_select_for_update_skip_locked
    watch = OverdueWatch.objects.select_for_update(no_key=True, skip_locked=skip_locked).filter(client=client).first()
    if watch is None or watch.day >= today:
        return False
    noted = Event.objects.filter(invoice_no=OuterRef("pk"), act=OVERDUE)
    rows = open_invoices(Invoice.objects.filter(client=client, due_date__lt=today)).filter(~Exists(noted))
    found = list(rows.order_by("due_date", "pk")[:AT_ONCE])
    record_acts(client, WATCHER, [_act(invoice) for invoice in found], timezone.now())
    if len(found) < AT_ONCE:
        watch.day = today
        watch.save(update_fields=["day"])
    return True


def _act(invoice: Invoice) -> Act:
    after = {
        "due_date": str(invoice.due_date),
        "open_amount": amount_text(invoice.open_amount, invoice.currency),
        "currency": invoice.currency,
    }
    return Act(OVERDUE, invoice.account_id, invoice.pk, after=after)


OVERDUE_DOCUMENTS = KindOfWork("overdue documents", do_batch, can_wait=True)
