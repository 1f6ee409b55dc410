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
    Account: {"client_acct_id", "invoice_approval_required", "created_at"},
    Contact: {"email", "phone"},
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
        "created_at",
        "staff",
    },
}
"""Changes of these columns do not affect documents."""

REBILL_KINDS = (DataKind.ADDRESSES, DataKind.SETTINGS, DataKind.TAX_RATES, DataKind.SERVICES, DataKind.LOCATIONS)
"""A rebill starts from its original, so only these kinds of changes affect it."""

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
    name = f"{instance._meta.verbose_name} {instance}"
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
    of_cycle = ~Q(kind=InvoiceKind.REBILL)
    rebill = Q(kind=InvoiceKind.REBILL)
    return Q(status=InvoiceStatus.PENDING, comparison__facts_read_at__isnull=False) & (
        (
            of_cycle
            & (Exists(_of_account(changes)) | Exists(_of_client(changes)) | Exists(_usage(since)) | Exists(_orders(since)))
        )
        | (rebill & (Exists(_of_account(changes, REBILL_KINDS)) | Exists(_of_client(changes, REBILL_KINDS))))
    )


def _of_account(changes: QuerySet[DataChange], kinds: Collection[str] = tuple(DataKind)) -> QuerySet[DataChange]:
    return changes.filter(account=OuterRef("account"), kind__in=kinds)


def _of_client(changes: QuerySet[DataChange], kinds: Collection[str] = tuple(DataKind)) -> QuerySet[DataChange]:
    """Select changes of the catalogue, the tax table and the settings that affect the document."""
    account, document = OuterRef(OuterRef("account")), OuterRef(OuterRef("pk"))
    lines = InvoiceLine.objects.filter(invoice=document)
    row = OuterRef("row_no")
    bears = (
        Q(kind__in=[DataKind.SETTINGS, DataKind.SURCHARGES])
        | Q(kind__in=[DataKind.PLANS, DataKind.PRICES])
        & Exists(PlanInstance.objects.filter(account=account, plan=row, taken_off_on=None))
        | Q(kind=DataKind.SERVICES) & Exists(lines.filter(service=row))
        | Q(kind=DataKind.LOCATIONS) & Exists(lines.filter(Q(bill_from_location=row) | Q(ship_from_location=row)))
        | Q(kind=DataKind.COUPONS) & Exists(CouponRedemption.objects.filter(account=account, coupon=row))
        | Q(kind=DataKind.TAX_RATES)
        & (Q(country="") | Exists(Contact.objects.filter(account=account, country__iexact=OuterRef("country"))))
    )
    return changes.filter(bears, client=OuterRef("client"), account=None, kind__in=kinds)


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

    Four queries for each document. Call it for the out-of-date documents on one page.
    """
    found: dict[int, list[Change]] = defaultdict(list)
    documents = Invoice.objects.filter(out_of_date(), pk__in=invoice_nos).select_related("comparison").order_by("pk")
    for document in documents:
        found[document.pk] = sorted(_changes_of(document), key=lambda one: one.changed_at)[:SHOWN]
    return found


def _changes_of(document: Invoice) -> list[Change]:
    mine = Invoice.objects.filter(pk=document.pk)
    since = document.comparison.facts_read_at
    kinds = REBILL_KINDS if document.kind == InvoiceKind.REBILL else tuple(DataKind)
    changes = DataChange.objects.filter(changed_at__gt=since, kind__in=kinds, client=document.client_id).order_by("pk")
    found = [
        Change(DataKind(one.kind), one.text, one.changed_at)
        for one in changes.filter(Q(account=document.account_id) | Q(account=None))[: SHOWN * 2]
        if one.account_id is not None or mine.filter(Exists(_of_client(DataChange.objects.filter(pk=one.pk)))).exists()
    ]
    if document.kind == InvoiceKind.REBILL:
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
