"""Read what rebills are planned from, in a constant number of queries for any number of invoices and lines."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.db.models import Q, QuerySet

from accounts.kinds import CreditTo, TaxRounding
from accounts.models import Account, Client, CollectionThreshold, Service
from accounts.models.places import EXEMPTION_FIELDS
from accounts.services.named_rows import names_differ
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.common.currencies import currency_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.calculation import ZERO, asked_amount
from invoices.document import Document
from invoices.kinds import InvoiceKind
from invoices.models import Invoice
from invoices.plan.action_facts import DocumentFacts
from invoices.plan.allocating import OpenItem
from invoices.plan.facts import ServiceFacts
from invoices.plan.tax_answers import Exemption, TaxAnswer
from invoices.services.document_facts import document_facts, fact_readings
from invoices.services.documents.document_storage import contact_numbers, content_readings, stored_contents
from invoices.services.documents.tax_answers import stored_tax_answers, tax_answer_rows
from invoices.services.issuing.issuing import IssuePolicy
from invoices.services.money.ledger.applying import held_credits, held_rows
from invoices.services.money.ledger.entries import account_positions, position_rows
from invoices.services.money.ledger.freed_money import credit_to_of, refundable
from invoices.services.money.ledger.open_items import (
    Charge,
    charge_rows,
    charges_of,
    credit_rows,
    open_charge_rows,
    open_charges,
    open_credits,
)
from invoices.services.planning.facts import (
    ContactFacts,
    billing_contact,
    contact_rows,
    location_rows,
    read_contacts,
    read_locations,
    taxed_contact,
)
from invoices.services.planning.taxation import place_of
from invoices.tax_engines.protocol import TaxAddress
from rebills.plan.differences import Names
from rebills.plan.requests import LineChange, MoneyFacts, RebillFacts, TaxFacts, UsageCorrection
from rebills.services.requests import RebillRequest, RequestedLine, RequestedUsage

T = TypeVar("T")
RequestedItem = RequestedLine | RequestedUsage


class Originals(NamedTuple):
    """All facts about the invoices to rebill, and about the services, contacts and locations that requests may name."""

    client: Client
    accounts: Mapping[int | str, int]
    chain_roots: Mapping[int, int]
    documents: Mapping[int, DocumentFacts]
    contents: Mapping[int, Document]
    services: Mapping[int | str, ServiceFacts]
    contacts: Mapping[int, list[ContactFacts]]
    locations: Mapping[int, TaxAddress]
    money: Mapping[int, MoneyFacts]
    answers: Mapping[int, TaxAnswer]
    exemptions: Mapping[int, Exemption]

    def exemption(self, request: RebillRequest) -> Exemption | None:
        """Return the exemption that holds on the original's tax date: the original's own, else the account's or the taxed
        contact's."""
        stored = self.answers.get(request.invoice_no, TaxAnswer())
        content = self.contents[request.invoice_no]
        contacts = {line.ship_to_contact_id for line in content.lines}
        account_no = self.documents[request.invoice_no].account_no
        known = [
            self.exemptions[account_no],
            *(one.exemption for one in self.contacts.get(account_no, []) if one.contact_pk in contacts),
        ]
        day = content.terms.tax_date
        return next((one for one in [Exemption(stored.exemption, stored.reason), *known] if one.holds_on(day)), None)

    def document(self, request: RebillRequest) -> DocumentFacts:
        """Return the facts of the invoice to rebill.

        Refuses with 1009 or 3004 if the requested account or invoice is not the client's, or if the
        invoice belongs to another account, and with 1016 names of different accounts.
        """
        names = {"acct_no": request.account_no, "client_acct_id": request.client_acct_id}
        given = {field: value for field, value in names.items() if value is not None}
        for field, value in given.items():
            if value not in self.accounts:
                raise BillingError(
                    ErrorCode.ACCOUNT_NOT_FOUND, Detail("{field} {value}", field=field, value=value), field=field
                )
        if len({self.accounts[value] for value in given.values()}) > 1:
            raise names_differ("client_acct_id", request.client_acct_id, "acct_no", request.account_no)
        named = next(iter(given.values()), None)
        document = self.documents.get(request.invoice_no)
        if document is None or (named is not None and self.accounts[named] != document.account_no):
            raise BillingError(
                ErrorCode.INVOICE_NOT_FOUND, Detail("invoice {invoice_no}", invoice_no=request.invoice_no), field="invoice_no"
            )
        return document

    def facts(self, request: RebillRequest) -> RebillFacts:
        """Return the facts that one rebill is planned from."""
        document = self.documents[request.invoice_no]
        contacts = self.contacts.get(document.account_no, [])
        billed = billing_contact(contacts)
        taxed = taxed_contact(contacts, self.client)
        unlisted = request.carries_unlisted
        credit_to = credit_to_of(self.client, request.credit_to, CreditTo.OLDEST_OPEN_INVOICE)
        return RebillFacts(
            invoice_no=request.invoice_no,
            account_no=document.account_no,
            original=self.contents[request.invoice_no],
            carries_unlisted=self.client.carry_unlisted_lines if unlisted is None else unlisted,
            retax=request.retax,
            tax=TaxFacts(
                self.client.tax_engine,
                place_of(self.client),
                {one.contact_pk: one.address for one in contacts},
                self.locations,
                self.client.tax_rounding == TaxRounding.LINE,
                frozenset(one.service_no for one in self.services.values() if one.tax_inclusive),
            ),
            collects=IssuePolicy(self.client).collects(InvoiceKind.REBILL, request.collect),
            parties={contact.contact_pk: contact.party for contact in contacts},
            bill_to_contact=billed.contact_pk if billed else None,
            taxed_contact=taxed.contact_pk if taxed else None,
            names={
                **{("service", one.service_no): one.name for one in self.services.values()},
                **{("contact", one.contact_pk): str(one.contact_no) for one in contacts},
            },
            money=_with_payments(self.money[request.invoice_no], credit_to),
            reason_code=request.reason_code,
            comments=request.comments,
            chain_root=self.chain_roots[request.invoice_no],
            statement_contact=self._statement_contact(request.statement_contact_no, document.account_no),
            credit_to=credit_to,
        )

    def change(self, requested: RequestedLine, document: DocumentFacts) -> LineChange:
        """Return the requested line with services, locations and contacts resolved. Refuses what is not the client's or
        account's."""
        account_no = document.account_no
        return LineChange(
            line_no=requested.line_no,
            path=requested.path,
            prefix=requested.prefix,
            exclude=requested.exclude,
            service=self._service(requested),
            rate=requested.rate_per_unit,
            units=requested.units,
            amount=None if requested.amount is None else asked_amount(requested.amount, currency_of(document.currency)),
            comments=requested.comments,
            po_num=requested.po_num,
            bill_from=self._location(requested, "bill_from_location_no"),
            ship_from=self._location(requested, "ship_from_location_no"),
            bill_to=self._contact(requested, "bill_to_address_seq", account_no),
            ship_to=self._contact(requested, "ship_to_address_seq", account_no),
            description=requested.description,
            period_start=requested.period_start,
            period_end=requested.period_end,
            retax=requested.retax,
        )

    def correction(self, requested: RequestedUsage) -> UsageCorrection:
        """Return the usage correction with its service resolved."""
        service = self._service(requested)
        return UsageCorrection(
            requested.units,
            requested.path,
            requested.line_no,
            requested.plan_instance_no,
            service.service_no if service is not None else None,
            requested.period_start,
            requested.comments,
        )

    def _statement_contact(self, contact_no: int | None, account_no: int) -> int | None:
        if contact_no is None:
            return None
        for contact in self.contacts.get(account_no, []):
            if contact.contact_no == contact_no:
                return contact.contact_pk
        detail = Detail("statement_address_seq: the account has no contact {contact_no}", contact_no=contact_no)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="statement_address_seq")

    def _service(self, requested: RequestedItem) -> ServiceFacts | None:
        """Return the service that a line names, or None. Refuses (1016) one that does not exist, and two names that differ."""
        names = {"service_no": requested.service_no, "client_service_id": requested.client_service_id}
        found = [_found(self.services.get(key), requested, name, key) for name, key in names.items() if key is not None]
        if len(found) > 1 and found[0] != found[1]:
            differ = names_differ("client_service_id", requested.client_service_id, "service_no", requested.service_no)
            raise differ.within(requested.path) if requested.path else differ
        return found[0] if found else None

    def _location(self, requested: RequestedLine, name: str) -> int | None:
        number: int | None = getattr(requested, name)
        if number is not None:
            _found(self.locations.get(number), requested, name, number)
        return number

    def _contact(self, requested: RequestedLine, name: str, account_no: int) -> int | None:
        number: int | None = getattr(requested, name)
        if number is None:
            return None
        mine = {contact.contact_no: contact.contact_pk for contact in self.contacts.get(account_no, [])}
        return _found(mine.get(number), requested, name, number)


def _found(found: T | None, requested: RequestedItem, name: str, value: object) -> T:
    if found is None:
        field = f"{requested.path}.{name}" if requested.path else name
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("{field}: {value} does not exist", field=field, value=str(value)), field=field
        )
    return found


class Before(NamedTuple):
    """Documents that are changed and are not the stored ones, and their tax answers, by number."""

    contents: Mapping[int, Document]
    answers: Mapping[int, TaxAnswer]


def read_originals(client: Client, requests: Iterable[RebillRequest], today: date, before: Before | None = None) -> Originals:
    """Return the facts of the requested invoices. Invoices of other clients are left out.

    With `before`, these documents are changed instead of the stored ones.
    """
    requests = list(requests)
    numbers = [request.invoice_no for request in requests]
    numbers = sorted(set(numbers))
    with read_ahead(*original_readings(client, numbers)):
        roots = dict(_root_rows(client.pk, numbers))
        mine = sorted(roots)
        documents, contents, answers = document_facts(mine, today), stored_contents(mine), stored_tax_answers(mine)
        charges = charges_of(mine)
    if before is not None:
        contents, answers = {**before.contents}, {**before.answers}
    lines: list[RequestedItem] = [line for request in requests for line in request.lines]
    lines += [usage for request in requests for usage in request.usage_corrections]
    billed = {line.service_id for content in contents.values() for line in content.lines}
    billed |= {charge.service_no for content in contents.values() for charge in content.basis.charges}
    account_nos = sorted({document.account_no for document in documents.values()})
    with read_ahead(
        _account_rows.of(client.pk, *_named_accounts(requests)),
        _service_rows.of(client.pk, *_named_services(lines, billed)),
        contact_rows.of(account_nos),
        location_rows.of(client.pk),
        _exemption_rows.of(account_nos),
        *_money_readings(client, account_nos, charges),
    ):
        return Originals(
            client,
            _accounts(client, requests),
            {number: root or number for number, root in roots.items()},
            documents,
            contents,
            _services(client, lines, billed),
            read_contacts(account_nos),
            read_locations(client),
            _money(client, documents, charges),
            answers,
            {number: Exemption(*row) for number, *row in _exemption_rows(account_nos)},
        )


def original_readings(client: Client, invoice_nos: Collection[int]) -> list[Reading]:
    """Return what `read_originals` reads first of requested invoices, to be read ahead with others."""
    numbers = sorted(set(invoice_nos))
    return [
        _root_rows.of(client.pk, numbers),
        *fact_readings(numbers),
        *content_readings(numbers),
        tax_answer_rows.of(numbers),
        charge_rows.of(numbers),
    ]


@compiled_read
def _root_rows(client_no: int, invoice_nos: Collection[int]) -> QuerySet[Any, tuple[int, int | None]]:
    return Invoice.objects.filter(client=client_no, pk__in=invoice_nos).values_list("pk", "chain_root_id")


@compiled_read
def _exemption_rows(account_nos: Collection[int]) -> QuerySet[Any, tuple[Any, ...]]:
    return Account.objects.filter(pk__in=account_nos).values_list("pk", *EXEMPTION_FIELDS)


def read_names(contents: Iterable[Document]) -> Names:
    """Return the display names of the services and contacts of these documents. Two queries."""
    lines = [line for content in contents for line in content.lines]
    services = Service.objects.filter(pk__in={line.service_id for line in lines if line.service_id is not None})
    return {
        **{("service", number): name for number, name in services.values_list("pk", "name")},
        **{("contact", number): str(contact_no) for number, contact_no in contact_numbers(lines).items()},
    }


def read_money(client: Client, documents: Mapping[int, DocumentFacts]) -> dict[int, MoneyFacts]:
    """Return, by document number, the money facts of the documents' accounts."""
    charges = charges_of(documents)
    account_nos = sorted({document.account_no for document in documents.values()})
    with read_ahead(*_money_readings(client, account_nos, charges)):
        return _money(client, documents, charges)


def _money_readings(client: Client, account_nos: Sequence[int], charges: Mapping[int, Charge]) -> list[Reading]:
    """Return the reads of `_money`. `account_nos` are in order."""
    reads = [read.of(account_nos) for read in (position_rows, credit_rows, open_charge_rows)]
    return [*reads, held_rows.of(sorted(charge.entry_no for charge in charges.values())), _thresholds.of(client.pk)]


@compiled_read
def _thresholds(client_no: int) -> QuerySet[Any, tuple[str, Decimal]]:
    return CollectionThreshold.objects.filter(client=client_no).values_list("currency", "amount")


def _money(client: Client, documents: Mapping[int, DocumentFacts], charges: Mapping[int, Charge]) -> dict[int, MoneyFacts]:
    accounts = {document.account_no for document in documents.values()}
    positions, credits, debits = account_positions(accounts), open_credits(accounts), open_charges(accounts)
    held = held_credits([charge.entry_no for charge in charges.values()])
    thresholds = dict(_thresholds(client.pk))
    money: dict[int, MoneyFacts] = defaultdict(MoneyFacts)
    for number, document in documents.items():
        if number not in charges:
            continue
        entry_no = charges[number].entry_no
        money[number] = MoneyFacts(
            balance=positions[document.account_no].balance,
            paid=tuple(sorted(OpenItem(*part) for part in held.get(entry_no, []))),
            credits=tuple(credits.get(document.account_no, ())),
            debits=tuple(one.item for one in debits.get(document.account_no, ()) if one.invoice_no != number),
            payer=document.payer,
            threshold=thresholds.get(document.currency, ZERO),
        )
    return money


def _with_payments(money: MoneyFacts, credit_to: CreditTo) -> MoneyFacts:
    """Return the facts with the payments that can be refunded, if freed money is refunded."""
    if not credit_to.refunds:
        return money
    return money._replace(payments=frozenset(refundable(money.paid)))


def _accounts(client: Client, requests: Iterable[RebillRequest]) -> dict[int | str, int]:
    """Return the primary keys of the client's accounts that requests name, by number and by `client_acct_id`."""
    found = _account_rows(client.pk, *_named_accounts(requests))
    return {number: number for number, _ in found} | {name: number for number, name in found}


def _named_accounts(requests: Iterable[RebillRequest]) -> tuple[list[int], list[str]]:
    named = list(requests)
    numbers = {request.account_no for request in named if request.account_no is not None}
    ids = {request.client_acct_id for request in named if request.client_acct_id is not None}
    return sorted(numbers), sorted(ids)


@compiled_read
def _account_rows(client_no: int, numbers: Collection[int], ids: Collection[str]) -> QuerySet[Any, tuple[int, str]]:
    rows = Account.objects.filter(Q(pk__in=numbers) | Q(client_acct_id__in=ids), client=client_no)
    return rows.values_list("pk", "client_acct_id")


def _services(client: Client, lines: Iterable[RequestedItem], billed: Collection[int | None]) -> dict[int | str, ServiceFacts]:
    """Return the services of these lines and of the originals, by number and by `client_service_id`."""
    services: dict[int | str, ServiceFacts] = {}
    for client_service_id, *row in _service_rows(client.pk, *_named_services(lines, billed)):
        facts = ServiceFacts._make(row)
        services[facts.service_no] = services[client_service_id] = facts
    return services


def _named_services(lines: Iterable[RequestedItem], billed: Collection[int | None]) -> tuple[list[int], list[str]]:
    lines = list(lines)
    numbers = {line.service_no for line in lines} | set(billed)
    names = {line.client_service_id for line in lines}
    return sorted(one for one in numbers if one is not None), sorted(one for one in names if one is not None)


@compiled_read
def _service_rows(client_no: int, numbers: Collection[int], names: Collection[str]) -> QuerySet[Any, tuple[Any, ...]]:
    rows = Service.objects.filter(Q(pk__in=numbers) | Q(client_service_id__in=names), client=client_no)
    columns = ("pk", "name", "gl_code", "tax_category", "tax_inclusive", "location_id", "unit_code", "price_units")
    return rows.values_list("client_service_id", *columns)
