"""Keeping what documents say of their tax, and what a client's setting makes of a document whose tax data is incomplete."""

from collections.abc import Collection, Iterable

from accounts.kinds import MissingTaxData
from accounts.models import Client
from billing_site.common.storage import insert_rows
from billing_site.errors import BillingError, ErrorCode
from invoices.models import Invoice
from invoices.models import TaxAnswer as StoredAnswer
from invoices.plan.tax_answers import TaxAnswer

FIELDS = ("invoice_id", "no_address", "no_rate", "unanswered", "missing", "exemption", "reason")


def record_tax_answers(answers: Iterable[tuple[int, TaxAnswer]]) -> None:
    """Write what new documents say of their tax, by their numbers: one statement. Inside the transaction that writes them."""
    rows = [
        (number, one.no_address, one.no_rate, list(one.unanswered), one.missing, one.exemption, one.reason)
        for number, one in answers
        if one.says_something
    ]
    insert_rows(StoredAnswer, FIELDS, rows)


def stored_tax_answers(invoice_nos: Collection[int]) -> dict[int, TaxAnswer]:
    """What documents say of their tax, by their numbers; a document that says nothing is missing. One query."""
    rows = StoredAnswer.objects.filter(invoice__in=invoice_nos).values_list(*FIELDS)
    return {
        number: TaxAnswer(no_address, no_rate, tuple(unanswered), *rest)
        for number, no_address, no_rate, unanswered, *rest in rows
    }


def answer_on(invoice: Invoice) -> TaxAnswer:
    """What a stored document says of its tax. Read `tax_answer` with the document where there are many."""
    stored = getattr(invoice, "tax_answer", None)
    if stored is None:
        return TaxAnswer()
    return TaxAnswer(
        stored.no_address, stored.no_rate, tuple(stored.unanswered), stored.missing, stored.exemption, stored.reason
    )


def check_tax_data(client: Client, answer: TaxAnswer) -> None:
    """Refuse a document whose tax data is incomplete (90075), where the client's setting says so."""
    if client.missing_tax_data == MissingTaxData.REFUSE and answer.is_incomplete:
        raise BillingError(ErrorCode.TAX_DATA_MISSING, answer.missing)


def holds_for_tax_data(client: Client, answer: TaxAnswer) -> bool:
    """Whether a document is generated as pending because its tax data is incomplete."""
    return client.missing_tax_data == MissingTaxData.HOLD and answer.is_incomplete
