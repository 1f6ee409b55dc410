"""The log of who has opened or exported the personal data of a customer: one row for each person, customer, kind and hour."""

import logging
from collections.abc import Iterable
from datetime import datetime

from django.db import Error, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import AccessKind
from accounts.models import Client, PersonalDataAccess
from billing_site.common.storage import insert_new_rows

logger = logging.getLogger(__name__)

FIELDS = ("client_id", "account_id", "by", "kind", "hour")
ROWS_AT_ONCE = 10_000


def note_access(client: Client, account_nos: Iterable[int], caller: Caller, kind: AccessKind = AccessKind.OPENED) -> None:
    """Note that a caller sees the personal data of these accounts. Once it is noted for this hour, nothing is written.

    One query, and one statement more for what is not noted yet. If the log cannot be written, because the database can only
    be read for example, the data is shown all the same, and the server's log says so.
    """
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    wanted, by = set(account_nos), caller.identity
    noted = PersonalDataAccess.objects.filter(account__in=wanted, by=by, kind=kind, hour=hour)
    missing = wanted.difference(noted.values_list("account", flat=True))
    if not missing:
        return
    rows = [(client.pk, number, by, kind.value, hour) for number in missing]
    try:
        with transaction.atomic():
            insert_new_rows(PersonalDataAccess, FIELDS, rows, unique=("account_id", "by", "kind", "hour"))
    except Error:
        logger.exception("the access to personal data could not be noted")


def accesses_to(account_no: int) -> QuerySet[PersonalDataAccess]:
    """Return who has seen the personal data of an account, the newest first."""
    return PersonalDataAccess.objects.filter(account=account_no).order_by("-hour", "-pk")


def prune_accesses(before: datetime, client: Client) -> int:
    """Delete the rows of a client that are older than a moment, and return how many. Many small deletes."""
    old = PersonalDataAccess.objects.filter(client=client, hour__lt=before).order_by("hour")
    deleted = 0
    while numbers := list(old.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        deleted += PersonalDataAccess.objects.filter(pk__in=numbers).delete()[0]
    return deleted
