"""How long logs and personal data are kept, as a client's settings say. Workers do it each day, with pruning the logs."""

from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.call_log import prune_calls
from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.services.personal_access import prune_accesses
from accounts.sessions import delete_ended_sessions
from accounts.trail import Act, record_acts
from billing_site.common.guards import lifted
from invoices.kinds import SealedRows, StatementStatus
from invoices.models import Statement
from invoices.services.privacy.documents import blank_old_documents
from invoices.services.privacy.mails import ERASED_ADDRESS, blank_mails
from invoices.services.privacy.proven_rows import blank_rows, keep_proof, names_in_event

EVENTS_BLANKED = "events.personal_data_blanked"
EVENTS_AT_ONCE = 5_000
ROWS_AT_ONCE = 10_000


def keep_as_set(client: Client, today: date, caller: Caller) -> None:
    """Delete and blank what a client keeps no longer: API calls, accesses to personal data, addresses of sent mails, who events
    name, and documents of erased customers. Sessions that have ended are deleted too."""
    now = timezone.now()
    delete_ended_sessions()
    prune_calls(now - timedelta(days=client.keep_calls_days or settings.CALL_LOG_DAYS), client)
    prune_accesses(now - timedelta(days=client.keep_accesses_days), client)
    if client.keep_mails_days is not None:
        blank_old_mails(client, client.keep_mails_days)
    if client.keep_event_data_days is not None:
        blank_old_events(client, client.keep_event_data_days, caller)
    blank_old_documents(client, today, caller)


def blank_old_mails(client: Client, days: int) -> int:
    """Blank the addresses of statements that were sent or failed more than some days ago, and return how many. 10,000 rows at a
    time."""
    done = Statement.objects.filter(
        invoice__client=client, settled_at__lt=timezone.now() - timedelta(days=days), next_try_at=None
    )
    done = done.exclude(status__in=[StatementStatus.REQUESTED, StatementStatus.SENDING])
    done = done.exclude(Q(email__in=["", ERASED_ADDRESS]) & Q(message="") & Q(message_id="") & Q(provider_id=""))
    count = 0
    while numbers := list(done.order_by("pk").values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        count += blank_mails(Statement.objects.filter(pk__in=numbers))
    return count


def blank_old_events(client: Client, days: int, caller: Caller) -> int:
    """Blank whom events of customers name that are older than some days, and return how many events have changed.

    5,000 events at a time in one transaction, each with an event that says up to which number they are done.
    """
    before = timezone.now() - timedelta(days=days)
    old = Event.objects.filter(client=client, account__isnull=False, at__lt=before).order_by("pk").values_list("pk", flat=True)
    count = 0
    while numbers := list(old.filter(pk__gt=_done_through(client))[:EVENTS_AT_ONCE]):
        with transaction.atomic(), lifted():
            found = blank_rows(SealedRows.EVENTS, Event.objects.filter(pk__in=numbers), names_in_event)
            after = {
                "rows": len(found),
                "digest": keep_proof(found, None),
                "older_than": str(before.date()),
                "through": numbers[-1],
            }
            record_acts(client, caller, [Act(EVENTS_BLANKED, after=after)])
        count += len(found)
    return count


def _done_through(client: Client) -> int:
    """Return the number of the last event that was looked at."""
    last = Event.objects.filter(client=client, act=EVENTS_BLANKED).order_by("-pk").values_list("after", flat=True).first()
    return int(last["through"]) if last else 0
