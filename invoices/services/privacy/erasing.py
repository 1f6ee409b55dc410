"""Erase a customer: blank personal data in all tables, once nothing is owed, pending or under way.

Documents stay as they were issued for as long as the law wants them (`keep_documents_years` of the client). Then they are
blanked too, by `blank_old_documents`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.callers import Caller
from accounts.kinds import AccountStatus
from accounts.models import Account, Client
from accounts.models.history import change_many
from accounts.rights import PERSONAL_DATA, check_may
from accounts.services.accounts import find_account_no, lock_account
from accounts.trail import Act, record_acts
from billing_site.common.guards import lifted
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import SealedRows
from invoices.models import Erasure, Invoice
from invoices.services.privacy.columns import PERSONAL, Kept
from invoices.services.privacy.mails import blank_mails
from invoices.services.privacy.obstacles import obstacles
from invoices.services.privacy.proven_rows import bare_message, blank_rows, keep_proof, names_in_event
from invoices.services.privacy.rows import columns_held, log_entries_of, receipts_of, rows_of, versions_of_rows

ERASED = "customer.erased"
EVENTS = "accounts.event"
REASON_LENGTH = 300


class ErasurePreview(NamedTuple):
    """What erasing would blank, by table, what is kept until which day, and what stands in its way."""

    rows: Mapping[str, int]
    documents: int
    kept_until: date | None
    obstacles: list[BillingError]


def preview_erasure(*, client: Client, account_no: int, today: date) -> ErasurePreview:
    """Return what erasing a customer would do. Writes nothing. Refuses (1009) an account that is not the client's."""
    account = Account.objects.select_related("client").get(pk=find_account_no(client, account_no))
    rows = Counter({EVENTS: rows_of(EVENTS, account.pk).count()})
    for name, found, _ in _tables(account.pk):
        rows[name] += found.count()
    documents = Invoice.objects.filter(account=account, invoice_date__isnull=False)
    last = documents.aggregate(last=models.Max("invoice_date"))["last"]
    kept = None if last is None else kept_until(last, account.client)
    return ErasurePreview(
        {name: count for name, count in rows.items() if count}, documents.count(), kept, obstacles(account, today)
    )


def kept_until(day: date, client: Client) -> date:
    """Return the last day on which a document of a day is kept by law: the end of a year."""
    return date(day.year + client.keep_documents_years, 12, 31)


@transaction.atomic
def erase_person(*, client: Client, account_no: int, reason: str, caller: Caller, today: date) -> Erasure:
    """Blank the personal data of a customer everywhere but on documents, and record who did it and why.

    Refuses (90009) who may not handle personal data, (1009) an account that is not the client's, (1016) a reason that is empty
    or too long, and with the code of the first obstacle (90320 to 90325) while something stands in the way.
    """
    check_may(caller, PERSONAL_DATA)
    number = find_account_no(client, account_no)
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("reason: must have 1 to 300 characters"), field="reason")
    account = lock_account(number)
    for obstacle in obstacles(account, today):
        raise obstacle
    _close(account)
    with lifted():
        # Versions were written while the account was closed, so they are blanked after it.
        count = sum(blank(rows) for _, rows, blank in _tables(number))
        erasure = Erasure.objects.create(
            client=client, account=account, at=timezone.now(), erased_by=caller.identity, reason=reason, rows=count
        )
        blanked = blank_rows(SealedRows.EVENTS, rows_of(EVENTS, number), names_in_event)
        digest = keep_proof(blanked, erasure)
    after = {"rows": count, "events": len(blanked), "digest": digest}
    record_acts(client, caller, [Act(ERASED, number, after=after, row_no=erasure.pk)])
    return erasure


def _close(account: Account) -> None:
    """Terminate the account, and disable its payment methods. The history keeps both."""
    if account.status > AccountStatus.INACTIVE:
        account.status = AccountStatus.TERMINATED
        account.save(update_fields=["status"])
    change_many(account.payment_methods.filter(is_disabled=False), is_disabled=True, is_default=False)


def _tables(account_no: int) -> Iterator[tuple[str, QuerySet[Any], Callable[[QuerySet[Any]], int]]]:
    """Yield what is blanked at once: the name of a table, its rows, and how they are blanked."""
    for label, personal in PERSONAL.items():
        if personal.kept is not Kept.UNTIL_ERASED or label == EVENTS:
            continue
        blank = _SPECIAL.get(label) or _blanker(columns_held(rows_of(label, account_no).model, personal))
        yield label, rows_of(label, account_no), blank
        versions = versions_of_rows(label, account_no)
        if versions is not None:
            special = _SPECIAL.get(label)
            yield f"{label} (versions)", versions, special or _blanker(columns_held(versions.model, personal))
    yield "accounts.receipt", receipts_of(account_no).exclude(answer=""), _blanker(["answer"])
    for entries in log_entries_of(account_no):
        yield "admin.logentry", entries, _blank_log


def _blanker(columns: list[str]) -> Callable[[QuerySet[Any]], int]:
    return lambda rows: rows.order_by().update(**dict.fromkeys(columns, "")) if columns else 0


def _blank_accounts(rows: QuerySet[Any]) -> int:
    """Blank an account or its versions. Its own id becomes one that says nothing, because it is unique."""
    held = columns_held(rows.model, PERSONAL["accounts.account"])
    number = "pk" if rows.model is Account else "id"
    values = {name: "" for name in held if name != "client_acct_id"}
    count = 0
    for account_no in set(rows.values_list(number, flat=True)):
        count += rows.filter(**{number: account_no}).update(client_acct_id=erased_id(account_no), **values)
    return count


def erased_id(account_no: int) -> str:
    """Return what an erased account has as client_acct_id."""
    return f"erased-{account_no}"


def _blank_log(entries: QuerySet[LogEntry]) -> int:
    return entries.update(object_repr="", change_message="")


def _blank_outcomes(outcomes: QuerySet[Any]) -> int:
    """Cut the messages of outcomes down to the text of their code, as the messages of events are."""
    codes = set(outcomes.exclude(message="").order_by().values_list("error_code", flat=True))
    for code in codes:
        outcomes.filter(error_code=code).exclude(message="").update(message=bare_message(code), detail="")
    return outcomes.count() if codes else 0


_SPECIAL: Mapping[str, Callable[[QuerySet[Any]], int]] = {
    "accounts.account": _blank_accounts,
    "invoices.runoutcome": _blank_outcomes,
    "invoices.decisionoutcome": _blank_outcomes,
    "invoices.statement": blank_mails,
}
"""Tables that need more than empty columns."""
