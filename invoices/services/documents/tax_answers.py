"""Store which tax data was missing for a document, and apply the client's setting for missing tax data."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import QuerySet

from accounts.kinds import MissingTaxData
from accounts.models import Client
from billing_site.common.compiled_reads import compiled_read
from billing_site.common.storage import insert_rows
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.models import TaxAnswer as StoredAnswer
from invoices.plan.tax_answers import TaxAnswer

FIELDS = ("invoice_id", "no_address", "no_rate", "unanswered", "missing", "exemption", "reason")


def record_tax_answers(answers: Iterable[tuple[int, TaxAnswer]]) -> None:
    """Write the tax answers of new documents, by number. One statement, in the transaction that writes the documents."""
    rows = [
        (number, one.no_address, one.no_rate, list(one.unanswered), one.missing, one.exemption, one.reason)
        for number, one in answers
        if one.says_something
    ]
    insert_rows(StoredAnswer, FIELDS, rows)


def stored_tax_answers(invoice_nos: Collection[int]) -> dict[int, TaxAnswer]:
    """Return the tax answers of documents, by number. Documents without an answer are left out. One query."""
    return {
        number: TaxAnswer(no_address, no_rate, tuple(unanswered), *rest)
        for number, no_address, no_rate, unanswered, *rest in tax_answer_rows(sorted(invoice_nos))
    }


@compiled_read
def tax_answer_rows(invoice_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    """Read what `stored_tax_answers` returns."""
    return StoredAnswer.objects.filter(invoice__in=invoice_nos).values_list(*FIELDS)


def answer_on(invoice: Invoice) -> TaxAnswer:
    """Return the tax answer of a stored document. For many documents, read them with `tax_answer` selected."""
    stored = getattr(invoice, "tax_answer", None)
    if stored is None:
        return TaxAnswer()
    return TaxAnswer(
        stored.no_address, stored.no_rate, tuple(stored.unanswered), stored.missing, stored.exemption, stored.reason
    )


def check_tax_data(client: Client, answer: TaxAnswer) -> None:
    """Refuse (90075) a document whose tax data is incomplete, if the client's setting says so."""
    if client.missing_tax_data == MissingTaxData.REFUSE and answer.is_incomplete:
        raise BillingError(ErrorCode.TAX_DATA_MISSING, answer.missing)


def is_pending_for_tax_data(client: Client, answer: TaxAnswer) -> bool:
    """Return whether a document is generated as pending because its tax data is incomplete."""
    return client.missing_tax_data == MissingTaxData.HOLD and answer.is_incomplete
