"""Blank documents of erased customers that are no longer kept by law, so that it can be proven what was blanked."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import Client, Event
from accounts.models.identities import document_storage
from accounts.trail import Act, record_acts
from billing_site.common.guards import lifted
from billing_site.common.storage import update_rows
from invoices.fingerprints import CORRECTION, TAX_BASIS, changed_parts, fingerprint
from invoices.kinds import ISSUED_STATUSES, SealedRows
from invoices.models import (
    Adjustment,
    BlankedDocument,
    DocumentFile,
    DocumentVersion,
    Erasure,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    Payment,
    RequestedAct,
)
from invoices.services.documents.document_storage import stored_contents
from invoices.services.privacy.blanking import TEXTS, without, without_address, without_addresses, without_person
from invoices.services.privacy.proven_rows import blank_rows, keep_proof, texts_in_entry, texts_in_event, texts_in_payment

BLANKED = "document.blanked"
TEXTS_BLANKED = "customer.texts_blanked"
MAY_CHANGE = frozenset({"parties", TAX_BASIS, CORRECTION})
"""The parts of a document's fingerprint that blanking changes. The others are still proven by the fingerprint of its issue."""
DOCUMENTS_AT_ONCE = 100
FILES_LOOKED_FOR = timedelta(days=7)


def blank_old_documents(
    client: Client, today: date, caller: Caller, progress: Callable[[int], object] = lambda count: None
) -> int:
    """Blank the documents of erased customers whose years are over, each with an event, and remove their files. Returns how
    many.

    100 documents at a time in one transaction. A document that is not as it was issued is left as it is, and the audit says so.
    """
    first_kept = date(today.year - client.keep_documents_years, 1, 1)
    due = Invoice.objects.filter(client=client, account__erasure__isnull=False, blanked=None, status__in=ISSUED_STATUSES)
    due = due.filter(invoice_date__lt=first_kept).select_related("account__erasure").order_by("pk")
    count, last = 0, 0
    account_nos: set[int] = set()
    while chunk := list(due.filter(pk__gt=last)[:DOCUMENTS_AT_ONCE]):
        count += _blank(client, chunk, caller)
        account_nos.update(one.account_id for one in chunk)
        last = chunk[-1].pk
        progress(count)
    _blank_acts(client, first_kept, caller, account_nos)
    _remove_files(client)
    return count


def _blank_acts(client: Client, first_kept: date, caller: Caller, account_nos: set[int]) -> None:
    """Blank what people wrote about acts on money of erased customers before a day: in events, ledger entries, payments,
    requests and campaigns. One transaction and one event for each customer."""
    erased = {"account__erasure__isnull": False, "account__client": client}
    for rows in (
        LedgerEntry.objects.filter(**erased, entry_date__lt=first_kept).exclude(comments=""),
        Payment.objects.filter(**erased, received_on__lt=first_kept).exclude(reference=""),
    ):
        account_nos = account_nos | set(rows.order_by().values_list("account", flat=True).distinct())
    for erasure in Erasure.objects.filter(account__in=account_nos).order_by("pk"):
        _blank_acts_of(erasure, client, first_kept, caller)


@transaction.atomic
def _blank_acts_of(erasure: Erasure, client: Client, first_kept: date, caller: Caller) -> None:
    number = erasure.account_id
    before = datetime.combine(first_kept, time.min, ZoneInfo(client.time_zone))
    with lifted():
        events = Event.objects.filter(account=number, at__lt=before)
        entries = LedgerEntry.objects.filter(account=number, entry_date__lt=first_kept)
        blanked = blank_rows(SealedRows.EVENTS, events, texts_in_event)
        blanked += blank_rows(SealedRows.ENTRIES, entries, texts_in_entry)
        payments = Payment.objects.filter(account=number, received_on__lt=first_kept)
        blanked += blank_rows(SealedRows.PAYMENTS, payments, texts_in_payment)
        digest = keep_proof(blanked, erasure)
        for act in RequestedAct.objects.filter(account=number, decided_at__lt=before):
            RequestedAct.objects.filter(pk=act.pk).update(arguments=without(act.arguments, TEXTS))
        campaign_items = apps.get_model("rebills.campaignitem")._default_manager.filter(account=number)
        for item in campaign_items.filter(campaign__built_at__lt=before):
            campaign_items.filter(pk=item.pk).update(changes=without(item.changes, TEXTS), message="", detail="")
    after = {"rows": len(blanked), "digest": digest}
    record_acts(client, caller, [Act(TEXTS_BLANKED, number, after=after)])


def _blank(client: Client, invoices: Sequence[Invoice], caller: Caller) -> int:
    """Blank documents in one transaction. Returns how many: those that are not as they were issued are left out."""
    numbers = [one.pk for one in invoices]
    with transaction.atomic(), lifted():
        proven = {no for no, content in stored_contents(numbers).items() if not _changed(invoices, no, content)}
        chosen = [one for one in invoices if one.pk in proven]
        _empty(chosen)
        acts = []
        contents = stored_contents([one.pk for one in chosen])
        for one in chosen:
            acts.append(_blanked(client, one, fingerprint(contents[one.pk])))
        record_acts(client, caller, acts)
    return len(chosen)


def _changed(invoices: Sequence[Invoice], number: int, content: Any) -> list[str]:
    (invoice,) = (one for one in invoices if one.pk == number)
    return changed_parts(invoice.fingerprint, content)


def _empty(invoices: Sequence[Invoice]) -> None:
    """Blank what documents, their lines, versions and adjustments say about a person."""
    numbers = [one.pk for one in invoices]
    columns = ("bill_to", "tax_basis", "comments", "client_notes", "custom_status_label")
    rows = [(one.pk, without_address(one.bill_to), without_addresses(one.tax_basis), "", "", "") for one in invoices]
    update_rows(Invoice, columns, rows)
    InvoiceLine.objects.filter(invoice__in=numbers).exclude(comments="").update(comments="")
    versions = DocumentVersion.objects.filter(invoice__in=numbers)
    update_rows(
        DocumentVersion,
        ("comments", "content", "generated"),
        [(one.pk, "", without_person(one.content), without_person(one.generated)) for one in versions],
    )
    Adjustment.objects.filter(invoice__in=numbers).update(comments="", why_not="")


def _blanked(client: Client, invoice: Invoice, mark: str) -> Act:
    files = DocumentFile.objects.filter(invoice=invoice)
    names = [name for name in files.order_by("pk").values_list("name", flat=True) if name]
    files.delete()
    assert invoice.invoice_date is not None
    until = date(invoice.invoice_date.year + client.keep_documents_years, 12, 31)
    erasure = invoice.account.erasure
    BlankedDocument.objects.create(
        invoice=invoice, erasure=erasure, at=timezone.now(), kept_until=until, fingerprint=mark, files=names
    )
    after = {"kept_until": str(until), "fingerprint": mark, "fingerprint_of_issue": invoice.fingerprint}
    return Act(BLANKED, invoice.account_id, invoice.pk, after=after)


def _remove_files(client: Client) -> None:
    """Remove the files of blanked documents from the storage. Tried for some days, because a process may die before it."""
    since = timezone.now() - FILES_LOOKED_FOR
    for names in BlankedDocument.objects.filter(invoice__client=client, at__gte=since).values_list("files", flat=True):
        for name in names:
            with suppress(FileNotFoundError):
                document_storage().delete(name)
