"""Find pending documents that are out of date because their data has changed.

Each new version of master data is checked here. If it affects documents, a DataChange is stored, so that the approval queue
finds such documents in one query, and pages can show what has changed. Usage and orders are not stored again: new ones are
found in their own tables.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django.utils import timezone

from accounts.models import (
    Account,
    Client,
    Contact,
    Plan,
    PlanCharge,
    PlanInstance,
    RateSchedule,
    RateTier,
    Service,
    ServiceLocation,
)
from billing_site.common.languages import in_english
from invoices.kinds import DataKind, InvoiceKind, InvoiceStatus, TaxedAt
from invoices.models import (
    Coupon,
    CouponRedemption,
    DataChange,
    Invoice,
    InvoiceLine,
    OneTimeCharge,
    ServiceCredit,
    Surcharge,
    TaxRate,
    Usage,
)

IRRELEVANT: dict[type[Model], set[str]] = {
    Account: {"client_acct_id", "invoice_approval_required", "created_at", "note", "tags"},
    Contact: {"email", "phone", "copy_of_statements"},
    Client: {
        "invoice_approval_required",
        "pending_discard_days",
        "four_eyes",
        "four_eyes_amount",
        "flag_first",
        "flag_change_percent",
        "flag_lines",
        "flag_missing_po",
        "gateway",
        "collect_on_approval",
        "collect_on_rebill",
        "rebill_approval_required",
        "original_due_date_on_rebill",
        "carry_unlisted_lines",
        "statement_on_issue",
        "void_on_collection_failure",
        "dunning_on_collection_failure",
        "never_allow_used_receipt_id",
        "keep_documents_years",
        "keep_calls_days",
        "keep_mails_days",
        "keep_event_data_days",
        "keep_accesses_days",
        "stop_above_refusals",
        "stop_above_refused_percent",
        "stop_above_percent_of_last",
        "stop_above_invoice",
        "time_zone",
        "clock_offset",
        "second_person_for",
        "second_factor_roles",
        "credit_to",
        "closed_through",
        "credit_unused_on_change",
        "credit_unused_on_end",
        "attach_pdf",
        "e_invoice",
        "e_invoice_profile",
        "reply_to",
        "language",
        "logo",
        "created_at",
        "staff",
    },
}
"""Changes of these columns do not affect documents. Of a client, the settings that generating reads do, as the pages of the
settings say (`Effect`)."""

REBILL_KINDS = (DataKind.ADDRESSES, DataKind.SETTINGS, DataKind.TAX_RATES, DataKind.SERVICES, DataKind.LOCATIONS)
"""A rebill starts from its original, and a one-off invoice from its charges, so only these kinds of changes affect them."""

KINDS_BY_THEMSELVES = (InvoiceKind.REBILL, InvoiceKind.ONE_OFF)

SHOWN = 100


class AffectedData(NamedTuple):
    """What a change affects: an account, or else the client's documents with this plan, service, location, coupon or
    country."""

    kind: DataKind
    client_no: int
    account_no: int | None = None
    row_no: int | None = None
    country: str = ""


def _affected_by(row: Any) -> AffectedData | None:
    """Return what a row of master data affects, or None."""
    match row:
        case Account():
            return AffectedData(DataKind.ACCOUNT, row.client_id, row.pk)
        case Contact():
            return AffectedData(DataKind.ADDRESSES, row.account.client_id, row.account_id)
        case PlanInstance():
            return AffectedData(DataKind.PLANS, row.account.client_id, row.account_id)
        case RateSchedule():
            return _affected_by_price(row)
        case RateTier():
            return _affected_by_price(row.schedule)
        case Plan():
            return AffectedData(DataKind.PLANS, row.client_id, row_no=row.pk)
        case PlanCharge():
            return AffectedData(DataKind.PLANS, row.plan.client_id, row_no=row.plan_id)
        case Service():
            return AffectedData(DataKind.SERVICES, row.client_id, row_no=row.pk)
        case ServiceLocation():
            return AffectedData(DataKind.LOCATIONS, row.client_id, row_no=row.pk)
        case TaxRate():
            at_origin = row.taxed_at in (TaxedAt.SHIP_FROM, TaxedAt.BILL_FROM)
            return AffectedData(DataKind.TAX_RATES, row.client_id, country="" if at_origin else row.country.upper())
        case Surcharge():
            return AffectedData(DataKind.SURCHARGES, row.client_id)
        case Coupon():
            return AffectedData(DataKind.COUPONS, row.client_id, row_no=row.pk)
        case Client():
            return AffectedData(DataKind.SETTINGS, row.pk)
    return None


def _affected_by_price(price: RateSchedule) -> AffectedData:
    if price.plan_instance is not None:
        account = price.plan_instance.account
        return AffectedData(DataKind.PRICES, account.client_id, account.pk)
    return AffectedData(DataKind.PRICES, price.charge.plan.client_id, row_no=price.charge.plan_id)


def note_version(instance: Model, history_instance: Any) -> None:
    """Store what a new version of a row affects. Called by the history, in the transaction of the change."""
    if isinstance(instance, Account | Client) and history_instance.history_type == "+":
        return
    affected = _affected_by(instance)
    if affected is None:
        return
    changed = _changed(instance, history_instance)
    if changed is not None:
        _write(affected, changed)


def _changed(instance: Model, version: Any) -> str | None:
    """Return what has changed, as text, or None if nothing that affects documents has."""
    name = f"{in_english(instance._meta.verbose_name)} {instance}"
    if version.history_type != "~":
        return f"{name}: {'added' if version.history_type == '+' else 'deleted'}"
    before = version.prev_record
    if before is None:
        return f"{name}: changed"
    irrelevant = IRRELEVANT.get(type(instance), set())
    changes = [change for change in version.diff_against(before).changes if change.field not in irrelevant]
    if not changes:
        return None
    return f"{name}: " + ", ".join(f"{one.field} {_shown(one.old)} \u2192 {_shown(one.new)}" for one in changes)


def _shown(value: Any) -> str:
    return "none" if value in (None, "") else str(value)


def note_of_account(kind: DataKind, account: Account, text: str) -> None:
    """Store a change of what an account is billed for that the history does not have."""
    _write(AffectedData(kind, account.client_id, account.pk), text)


def _write(affected: AffectedData, text: str) -> None:
    DataChange.objects.create(
        client_id=affected.client_no,
        account_id=affected.account_no,
        kind=affected.kind,
        row_no=affected.row_no,
        country=affected.country,
        text=text[:300],
        changed_at=timezone.now(),
    )


def note_row(instance: Any) -> None:
    """Store a redeemed or withdrawn coupon, or a new service credit. These tables have no history."""
    if isinstance(instance, CouponRedemption):
        note_of_account(DataKind.COUPONS, instance.account, f"Coupon {instance.coupon}: redeemed or withdrawn")
    elif isinstance(instance, ServiceCredit):
        note_of_account(DataKind.CREDITS, instance.account, f"Service credit {instance}: given or changed")


def out_of_date() -> Q:
    """Return the condition that a pending document is out of date. It can be part of any query of documents."""
    since = OuterRef("comparison__facts_read_at")
    changes = DataChange.objects.filter(changed_at__gt=since)
    of_cycle = ~Q(kind__in=KINDS_BY_THEMSELVES)
    by_itself = Q(kind__in=KINDS_BY_THEMSELVES)
    return Q(status=InvoiceStatus.PENDING, comparison__facts_read_at__isnull=False) & (
        (
            of_cycle
            & (Exists(_of_account(changes)) | Exists(_of_client(changes)) | Exists(_usage(since)) | Exists(_orders(since)))
        )
        | (by_itself & (Exists(_of_account(changes, REBILL_KINDS)) | Exists(_of_client(changes, REBILL_KINDS))))
    )


def _of_account(changes: QuerySet[DataChange], kinds: Collection[str] = tuple(DataKind)) -> QuerySet[DataChange]:
    return changes.filter(account=OuterRef("account"), kind__in=kinds)


def _of_client(changes: QuerySet[DataChange], kinds: Collection[str] = tuple(DataKind)) -> QuerySet[DataChange]:
    """Select changes of the catalogue, the tax table and the settings that affect the document."""
    document = DocumentRef(OuterRef(OuterRef("account")), OuterRef(OuterRef("pk")))
    return changes.filter(_affecting(document), client=OuterRef("client"), kind__in=kinds)


class DocumentRef(NamedTuple):
    """How a subquery names a document and its account."""

    account: Any
    number: Any


def _affecting(document: DocumentRef) -> Q:
    """Return the condition that a change of the catalogue, the tax table or the settings affects a document."""
    row, country = OuterRef("row_no"), OuterRef("country")
    bears = Q(kind__in=[DataKind.SETTINGS, DataKind.SURCHARGES])
    for kind in (DataKind.SERVICES, DataKind.LOCATIONS, DataKind.COUPONS):
        bears |= Q(kind=kind) & _bears(kind, document, row, country)
    bears |= Q(kind__in=[DataKind.PLANS, DataKind.PRICES]) & _bears(DataKind.PLANS, document, row, country)
    bears |= Q(kind=DataKind.TAX_RATES) & (Q(country="") | _bears(DataKind.TAX_RATES, document, row, country))
    return bears & Q(account=None)


def _bears(kind: DataKind, document: DocumentRef, row: Any, country: Any) -> Q:
    """Return the condition that a change of a row of the catalogue or tax table affects a document. `country` is not empty."""
    lines = InvoiceLine.objects.filter(invoice=document.number)
    match kind:
        case DataKind.PLANS | DataKind.PRICES:
            return Q(Exists(PlanInstance.objects.filter(account=document.account, plan=row, taken_off_on=None)))
        case DataKind.SERVICES:
            return Q(Exists(lines.filter(service=row)))
        case DataKind.LOCATIONS:
            return Q(Exists(lines.filter(Q(bill_from_location=row) | Q(ship_from_location=row))))
        case DataKind.COUPONS:
            return Q(Exists(CouponRedemption.objects.filter(account=document.account, coupon=row)))
        case DataKind.TAX_RATES:
            return Q(Exists(Contact.objects.filter(account=document.account, country__iexact=country)))
    return Q()


def would_be_out_of_date(row: Any) -> QuerySet[Invoice]:
    """Return the pending documents that a change of this row of the catalogue or tax table would flag. Writes nothing."""
    affected = _affected_by(row)
    if affected is None or affected.account_no is not None:
        return Invoice.objects.none()
    documents = Invoice.objects.filter(
        client=affected.client_no, status=InvoiceStatus.PENDING, comparison__facts_read_at__isnull=False
    )
    if affected.kind not in REBILL_KINDS:
        documents = documents.exclude(kind__in=KINDS_BY_THEMSELVES)
    if affected.kind == DataKind.TAX_RATES and not affected.country:
        return documents
    document = DocumentRef(OuterRef("account"), OuterRef("pk"))
    return documents.filter(_bears(affected.kind, document, affected.row_no, affected.country))


def _usage(since: Any) -> QuerySet[Usage]:
    """Select usage of days before the bill date that was loaded since."""
    return Usage.objects.filter(
        account=OuterRef("account"), invoice=None, used_on__lt=OuterRef("bill_date"), loaded_at__gt=since
    )


def _orders(since: Any) -> QuerySet[OneTimeCharge]:
    return OneTimeCharge.objects.filter(
        account=OuterRef("account"), invoice=None, charge_date__lte=OuterRef("tax_date"), created_at__gt=since
    )


class Change(NamedTuple):
    """A change since the document was made."""

    kind: DataKind
    text: str
    changed_at: datetime


def changes_since(invoice_nos: Collection[int]) -> Mapping[int, list[Change]]:
    """Return what has changed since each pending document was made, the oldest first, at most 100 changes each.

    One query, and three for each document that is out of date. Call it for the documents on one page.
    """
    found: dict[int, list[Change]] = defaultdict(list)
    documents = Invoice.objects.filter(out_of_date(), pk__in=invoice_nos).select_related("comparison").order_by("pk")
    for document in documents:
        found[document.pk] = sorted(_changes_of(document), key=lambda one: one.changed_at)[:SHOWN]
    return found


def _changes_of(document: Invoice) -> list[Change]:
    since = document.comparison.facts_read_at
    kinds = REBILL_KINDS if document.kind in KINDS_BY_THEMSELVES else tuple(DataKind)
    mine = Q(account=document.account_id) | _affecting(DocumentRef(document.account_id, document.pk))
    changes = DataChange.objects.filter(mine, changed_at__gt=since, kind__in=kinds, client=document.client_id).order_by("pk")
    found = [Change(DataKind(one.kind), one.text, one.changed_at) for one in changes[:SHOWN]]
    if document.kind in KINDS_BY_THEMSELVES:
        return found
    of_mine: dict[str, Any] = {"account": document.account_id, "invoice": None}
    usage = Usage.objects.filter(**of_mine, used_on__lt=document.bill_date, loaded_at__gt=since).order_by("pk")[:SHOWN]
    orders = OneTimeCharge.objects.filter(**of_mine, charge_date__lte=document.tax_date, created_at__gt=since)
    found += [Change(DataKind.USAGE, f"Usage {one} of {one.used_on}: loaded", one.loaded_at) for one in usage]
    found += [
        Change(DataKind.ORDERS, f"Order {one.pk} ({one}): added", one.created_at)
        for one in orders.select_related("service").order_by("pk")[:SHOWN]
    ]
    return found
