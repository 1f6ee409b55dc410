"""Which documents a campaign takes in: a filter of issued invoices, or a list of document numbers."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Account, Client, Plan, Service
from billing_site.common.currencies import is_currency
from billing_site.common.members import unknown_name
from billing_site.common.written import day_of, decimal_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import BILLING_KINDS, LIVE_STATUSES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import Invoice, InvoiceLine
from invoices.services.runs.filters import MOST_ACCOUNTS, first_named, numbers_by_text

SELECTED_KINDS = (*BILLING_KINDS, InvoiceKind.REBILL)


@dataclass(frozen=True)
class Selection:
    """Documents must match each part that is not empty; within a part one value is enough.

    `invoices` are numbers of documents: then each of them is taken in, also one that the preview refuses. `charged_from` and
    `charged_until` are of the days that a line charges. `services`, `plans`, `line_types`, `rate` and these days must match
    on one line.
    """

    invoices: tuple[int, ...] = ()
    accounts: tuple[int, ...] = ()
    currencies: tuple[str, ...] = ()
    dated_from: date | None = None
    dated_until: date | None = None
    services: tuple[int, ...] = ()
    plans: tuple[int, ...] = ()
    line_types: tuple[int, ...] = ()
    rate: Decimal | None = None
    charged_from: date | None = None
    charged_until: date | None = None

    def stored(self) -> dict[str, Any]:
        """The selection as a campaign stores it: only the parts that are not empty."""
        return {name: _storable(value) for name, value in asdict(self).items() if value or value == 0}


NAMES = tuple(field.name for field in fields(Selection))
DATES = ("dated_from", "dated_until", "charged_from", "charged_until")


def _storable(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def read_selection(client: Client, values: Mapping[str, Any]) -> Selection:
    """Check a selection as it is submitted: lists of texts or numbers, ISO dates, and a rate.

    Invoices may be given by their document numbers or invoice numbers, accounts, plans and services by their numbers or the
    client's own ids. Refuses (1016) an unknown part or value and an empty selection, (1024) what is no date, and (3004) unknown
    invoices.
    """
    for name in values:
        if name not in NAMES:
            raise BillingError(
                ErrorCode.INVALID_INPUT, unknown_name(name, NAMES, what="Unknown filter"), field=name, instead=True
            )
    found = Selection(
        invoices=_invoices(client, _texts(values, "invoices")),
        accounts=_numbers(Account.objects.filter(client=client), "client_acct_id", values, "accounts"),
        plans=_numbers(Plan.objects.filter(client=client), "client_plan_id", values, "plans"),
        services=_numbers(Service.objects.filter(client=client), "client_service_id", values, "services"),
        currencies=_currencies(values),
        line_types=_line_types(values),
        rate=_rate(values.get("rate")),
        **{name: _day(name, values.get(name)) for name in DATES},
    )
    if found == Selection():
        detail = Detail("selection: name what is to be corrected; an empty selection would be every invoice")
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="selection")
    return found


def stored_selection(stored: Mapping[str, Any]) -> Selection:
    """Return the selection that a campaign stores."""
    parts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    for name in DATES:
        if name in parts:
            parts[name] = date.fromisoformat(parts[name])
    if "rate" in parts:
        parts["rate"] = Decimal(parts["rate"])
    return Selection(**parts)


def _texts(values: Mapping[str, Any], name: str) -> list[str]:
    given = values.get(name) or []
    if isinstance(given, str | Mapping) or not isinstance(given, Collection):
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: must be a list", name=name), field=name)
    if len(given) > MOST_ACCOUNTS:
        detail = Detail("{name}: at most {most} values", name=name, most=MOST_ACCOUNTS)
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=name)
    return list(dict.fromkeys(text for text in (str(value).strip() for value in given) if text))


def _invoices(client: Client, texts: Collection[str]) -> tuple[int, ...]:
    found = numbers_by_text(Invoice.objects.filter(client=client), "document_number", texts)
    unknown = [text for text in texts if text not in found]
    if unknown:
        detail = Detail("invoices: {listed} unknown", listed=first_named(unknown))
        raise BillingError(ErrorCode.INVOICE_NOT_FOUND, detail, field="invoices")
    return tuple(sorted(set(found.values())))


def _numbers(rows: QuerySet[Any], own_id: str, values: Mapping[str, Any], name: str) -> tuple[int, ...]:
    texts = _texts(values, name)
    found = numbers_by_text(rows, own_id, texts)
    _refuse(name, [text for text in texts if text not in found])
    return tuple(sorted(set(found.values())))


def _currencies(values: Mapping[str, Any]) -> tuple[str, ...]:
    texts = [text.lower() for text in _texts(values, "currencies")]
    _refuse("currencies", [text for text in texts if not is_currency(text)])
    return tuple(texts)


def _line_types(values: Mapping[str, Any]) -> tuple[int, ...]:
    texts = _texts(values, "line_types")
    known = {str(number) for number in LineType.values}
    _refuse("line_types", [text for text in texts if text not in known])
    return tuple(sorted(int(text) for text in texts))


def _refuse(name: str, wrong: Collection[str]) -> None:
    if wrong:
        detail = Detail("{name}: {listed} not valid", name=name, listed=first_named(wrong))
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field=name)


def check_in_order(name: str, first: date | None, last: date | None) -> None:
    """Refuse (1016) days that end before they begin, by the name of the first: nothing is between them."""
    if first is not None and last is not None and last < first:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: the days end before they begin", name=name), field=name)


def _rate(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        return decimal_of(value)
    except ValueError:
        detail = Detail("rate: {value} is no number", value=str(value)[:40])
        raise BillingError(ErrorCode.INVALID_INPUT, detail, field="rate") from None


def _day(name: str, value: Any) -> date | None:
    if not value or isinstance(value, date):
        return value or None
    try:
        return day_of(str(value))
    except ValueError:
        raise BillingError(ErrorCode.INVALID_DATE, Detail("{name}: {value}", name=name, value=str(value)), field=name) from None


def selected_invoices(client: Client, chosen: Selection) -> QuerySet[Invoice]:
    """Return the documents of a selection.

    A filter finds issued invoices and rebills that no rebill replaces, or is about to replace. Listed documents are all found.
    Refuses (1016) days that end before they begin.
    """
    check_in_order("dated_from", chosen.dated_from, chosen.dated_until)
    check_in_order("charged_from", chosen.charged_from, chosen.charged_until)
    rows = Invoice.objects.filter(client=client)
    rows = rows.filter(pk__in=chosen.invoices) if chosen.invoices else _correctable(rows)
    if chosen.accounts:
        rows = rows.filter(account__in=chosen.accounts)
    if chosen.currencies:
        rows = rows.filter(currency__in=chosen.currencies)
    if chosen.dated_from:
        rows = rows.filter(invoice_date__gte=chosen.dated_from)
    if chosen.dated_until:
        rows = rows.filter(invoice_date__lte=chosen.dated_until)
    lines = _lines(chosen)
    return rows if lines is None else rows.filter(Exists(InvoiceLine.objects.filter(lines, invoice=OuterRef("pk"))))


def _correctable(rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Keep issued invoices and rebills that no rebill replaces, or is about to replace."""
    replaced = Invoice.objects.filter(corrects=OuterRef("pk"), kind=InvoiceKind.REBILL, status__in=LIVE_STATUSES)
    return rows.filter(~Exists(replaced), kind__in=SELECTED_KINDS, status=InvoiceStatus.APPROVED)


def numbers_of_list(documents: QuerySet[Invoice]) -> list[str]:
    """Return the invoice numbers of those documents of a list that can be selected, as `read_selection` takes them. Refuses
    (1016) a list with none."""
    numbers = _correctable(documents).order_by("pk").values_list("pk", flat=True)[: MOST_ACCOUNTS + 1]
    if not numbers:
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("view: it has no issued invoice that can be corrected"), field="view"
        )
    return [str(number) for number in numbers]


def _lines(chosen: Selection) -> Q | None:
    """Return the condition on one line of a document, or None if there is none."""
    wanted = {
        "service__in": chosen.services,
        "plan_instance__plan__in": chosen.plans,
        "line_type__in": chosen.line_types,
        "rate_per_unit": chosen.rate,
        "period_end__gte": chosen.charged_from,
        "period_start__lte": chosen.charged_until,
    }
    named = {name: value for name, value in wanted.items() if value not in (None, ())}
    return Q(**named) if named else None
