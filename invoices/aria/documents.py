"""Documents under the names of Aria's method calls: lines, taxes, markers, with amounts as numbers."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet

from accounts.models import PlanInstance, Service
from billing_site.common.compiled_reads import Reading, compiled_read, read_ahead
from billing_site.common.currencies import currency_of
from billing_site.errors import ErrorCode, message_of
from invoices.calculation import rounded
from invoices.document import Document, Line, Tax
from invoices.kinds import INVOICE_TYPES, InvoiceKind, InvoiceStatus, LineType
from invoices.models import CollectionAttempt, Invoice, Statement
from invoices.models.collection import PROC_FIELDS
from invoices.services.documents.document_storage import contact_number_reading, contact_numbers
from invoices.services.lists.invoice_history import CreditableLine


def aria_document(content: Document) -> dict[str, Any]:
    """Return lines and taxes under Aria's names, with amounts as numbers."""
    lines = content.lines
    with read_ahead(*aria_readings(content)):
        service_nos, instance_nos = _named(lines)
        services = {one.pk: one for one in _services(service_nos)}
        instances = {one.pk: one for one in _instances(instance_nos)}
        contacts = contact_numbers(lines)
    texts = {line.line_no: line.description for line in lines}
    categories = {line.line_no: line.tax_category for line in lines}
    return {
        "invoice_items": [
            {
                **_item(line, services.get(line.service_id or 0), instances.get(line.plan_instance_id or 0)),
                "bill_to_address_no": contacts.get(line.bill_to_contact_id or 0),
                "ship_to_address_no": contacts.get(line.ship_to_contact_id or 0),
            }
            for line in lines
        ],
        "tax_details": [_tax(place, tax, texts, categories) for place, tax in enumerate(content.taxes, 1)],
    }


def aria_readings(content: Document) -> list[Reading]:
    """Return what `aria_document` reads, to be read ahead with others."""
    service_nos, instance_nos = _named(content.lines)
    return [_services.of(service_nos), _instances.of(instance_nos), contact_number_reading(content.lines)]


def _named(lines: Sequence[Line]) -> tuple[list[int], list[int]]:
    """Return the numbers of the services and of the plan instances of lines, each in order."""
    services = {line.service_id for line in lines if line.service_id is not None}
    return sorted(services), sorted({line.plan_instance_id for line in lines if line.plan_instance_id is not None})


@compiled_read
def _services(numbers: Collection[int]) -> QuerySet[Service]:
    return Service.objects.filter(pk__in=numbers)


@compiled_read
def _instances(numbers: Collection[int]) -> QuerySet[PlanInstance]:
    return PlanInstance.objects.filter(pk__in=numbers).select_related("plan")


@compiled_read
def document_row(invoice_no: int) -> QuerySet[Invoice]:
    """Read a document."""
    return Invoice.objects.filter(pk=invoice_no)


def _item(line: Line, service: Service | None, instance: PlanInstance | None) -> dict[str, Any]:
    plan = instance.plan if instance is not None else None
    return {
        "invoice_line_no": line.line_no,
        "plan_no": plan.pk if plan else None,
        "client_plan_id": plan.client_plan_id if plan else None,
        "plan_instance_no": line.plan_instance_id,
        "client_plan_instance_id": None,
        "plan_name": line.plan_name or None,
        "service_no": line.service_id,
        "client_service_id": service.client_service_id if service else None,
        "service_name": service.name if service else None,
        "service_coa_id": None,
        "client_service_coa_code": line.gl_code or None,
        "units": _number(line.units),
        "rate_per_unit": _number(line.rate_per_unit),
        "line_amount": float(line.amount),
        "line_description": line.description,
        "start_date_range": _text(line.period_start),
        "end_date_range": _text(line.period_end),
        "line_type": line.line_type,
        "base_plan_units": _number(instance.units) if instance else None,
        "proration_factor": float(line.proration_factor),
        "proration_text": line.proration_text or None,
        "proration_remaining_days": line.proration_remaining_days,
        "proration_description": None,
        "credit_coupon_code": line.coupon_code or None,
        "client_sku": None,
        "order_no": line.order_no,
        "item_no": None,
        "client_item_id": None,
        "adv_billing_period_total_days": line.period_total_days,
        "rate_schedule_no": line.rate_schedule_no,
        "rate_schedule_tier_no": line.tier_no,
        "bill_from_address_no": line.bill_from_location_id,
        "ship_from_address_no": line.ship_from_location_id,
    }


def _tax(place: int, tax: Tax, texts: Mapping[int, str], categories: Mapping[int, str]) -> dict[str, Any]:
    return {
        "tax_detail_line": place,
        "seq_num": tax.tax_line_no,
        "taxed_seq_num": tax.taxed_line_no,
        "debit": float(tax.amount),
        "tax_authority_level": tax.authority_level,
        "tax_rate": float(tax.percent),
        "orig_was_tax_inclusive": int(tax.is_inclusive),
        "tax_srv_tax_type_id": None,
        "tax_srv_tax_type_desc": tax.authority,
        "tax_srv_cat_text": categories.get(tax.taxed_line_no) or None,
        "tax_srv_juris_nm": tax.jurisdiction,
        "tax_srv_tax_sum_text": texts.get(tax.tax_line_no),
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def number(amount: Decimal, currency: str) -> float:
    """Return an amount as JSON number, in the currency's precision."""
    return float(rounded(amount, currency_of(currency)))


def generated_row(invoice: Invoice, content: Document) -> dict[str, Any]:
    """Return a row of gen_invoice_m's out_invoices_list."""
    credited = sum((line.amount for line in content.lines if line.amount < 0), Decimal(0))
    charged = invoice.net_amount - credited
    currency = invoice.currency
    return {
        "invoicing_error_code": 0,
        "invoicing_error_msg": "OK",
        "invoice_no": invoice.pk,
        "billing_group_no": None,
        "client_billing_group_id": None,
        "invoice_charges_before_tax": number(charged, currency),
        "invoice_tax_charges": number(invoice.tax_amount, currency),
        "invoice_charges_after_tax": number(charged + invoice.tax_amount, currency),
        "invoice_credit_amount": number(-credited, currency),
        "invoice_total_amount": number(invoice.total_amount, currency),
        **aria_document(content),
        "third_party_errors": None,
    }


LINE_NAMES = {"invoice_line_no": "line_no", "line_amount": "amount", "line_description": "description"}
DATE_NAMES = {"start_date_range": "date_range_start", "end_date_range": "date_range_end"}
PLACE_NAMES = {
    "bill_from_location_no": "bill_from_address_no",
    "ship_from_location_no": "ship_from_address_no",
    "bill_to_address_seq": "bill_to_address_no",
    "ship_to_address_seq": "ship_to_address_no",
}
"""gen_rb_m's output names of a line's addresses, by its input names. get_invoice_details has both, as our addition."""

NOT_KEPT_OF_LINES = (
    "usage_type_no",
    "usage_type_cd",
    "credit_reason_cd",
    "credit_reason_code_description",
    "csr_comments",
    "plan_units_change",
    "client_rate_schedule_id",
    "svc_credit_source_invoice_no",
    "svc_credit_source_line_no",
    "svc_credit_source_trans_id",
    "svc_credit_applied_line_no",
    "svc_credit_applied_trans_id",
    "client_mp_instance_id",
)
"""Aria's output fields of a line for data that we do not store. They are null."""


def detail_rows(invoice: Any, content: Document, excluded: Sequence[int]) -> list[dict[str, Any]]:
    """Return the lines as get_invoice_details has them. `excluded` are those that a rebill left out.

    `invoice` must be annotated with `transaction_no` and `client_acct_id`, as by `document_of_account`.
    """
    rows = aria_document(content)["invoice_items"]
    for row, line in zip(rows, content.lines, strict=True):
        for old, new in {**LINE_NAMES, **DATE_NAMES}.items():
            row[new] = row.pop(old)
        row.update({new: row[old] for new, old in PLACE_NAMES.items()})
        row.update(dict.fromkeys(NOT_KEPT_OF_LINES))
        row["client_acct_id"] = invoice.client_acct_id or None
        row["master_plan_instance_no"] = line.plan_instance_id
        row["invoice_transaction_id"] = invoice.transaction_no
        row["po_num"] = line.po_num or None
        row["tax_related_ind"] = int(line.is_tax)
        row["rb_line_comments"] = line.comments or None
        row["rb_excluded"] = int(not line.is_tax and line.line_no in excluded)
    return list(rows)


def document_markers(invoice: Any) -> dict[str, Any]:
    """Return the fields of a document and its rebill. The row must be annotated by `with_rebills`."""
    is_rebill = invoice.kind == InvoiceKind.REBILL
    return {
        "is_pending_ind": int(invoice.status == InvoiceStatus.PENDING),
        "custom_status_label": invoice.custom_status_label or None,
        "client_notes": invoice.client_notes or None,
        "invoice_type_cd": INVOICE_TYPES[InvoiceKind(invoice.kind)],
        "from_date": str(invoice.period_start),
        "to_date": str(invoice.period_end),
        "orig_invoice_no": invoice.corrects_id if is_rebill else None,
        "rb_no": invoice.rb_no,
        "rb_status": "True" if invoice.rb_no else "False",
        "rb_flag": int(is_rebill),
        "rb_reason_cd": invoice.reason_code if is_rebill else None,
        "rb_comments": (invoice.comments or None) if is_rebill else None,
    }


def history_row(invoice: Any) -> dict[str, Any]:
    """Return a row of an invoice history. The invoice must be annotated by `invoice_history`.

    An invoice may bill several plans. The row has the plan of the first line that has one.
    """
    currency = invoice.currency
    is_paid = invoice.status == InvoiceStatus.APPROVED and invoice.amount_paid >= invoice.total_amount
    return {
        "invoice_no": invoice.pk,
        "document_number": invoice.document_number or None,
        "outacct_no": invoice.account_id,
        "outclient_acct_id": invoice.client_acct_id or None,
        "billing_group_no": None,
        "client_billing_group_id": None,
        "master_plan_no": invoice.plan_no,
        "master_plan_name": invoice.plan_name or None,
        "client_master_plan_id": invoice.client_plan_id or None,
        "currency_cd": currency,
        "bill_date": str(invoice.bill_date),
        "invoice_date": _text(invoice.invoice_date),
        "due_date": _text(invoice.due_date),
        "paid_date": str(invoice.paid_on) if is_paid and invoice.paid_on else None,
        "amount": number(invoice.total_amount, currency),
        "debit": number(invoice.total_amount, currency),
        "credit": number(invoice.amount_paid, currency),
        "recurring_bill_from": str(invoice.period_start),
        "recurring_bill_thru": str(invoice.period_end),
        "usage_bill_from": _text(invoice.usage_from),
        "usage_bill_thru": _text(invoice.usage_through),
        "is_voided_ind": int(invoice.status == InvoiceStatus.VOIDED),
        **document_markers(invoice),
    }


def credit_row(creditable: CreditableLine, currency: str) -> dict[str, Any]:
    """Return a row of get_invoice_cm_details_m. Lines of coupons and service credits have no service."""
    service = creditable.service
    return {
        "line_no": creditable.line.line_no,
        "service_no": service.pk if service else None,
        "service_name": service.name if service else None,
        "client_service_id": service.client_service_id if service else None,
        "client_sku": None,
        "item_no": None,
        "client_item_id": None,
        "amount": number(creditable.line.base, currency),
        "max_credit_amount": number(creditable.most, currency),
    }


def order_amounts(content: Document) -> dict[str, Any]:
    """Return the lines, taxes and totals of an invoice under the names of create_order."""
    items, currency = aria_document(content), content.terms.currency
    credited = sum((line.amount for line in content.lines if line.amount < 0 and not line.is_tax), Decimal(0))
    charged, tax = content.terms.net_amount - credited, content.terms.tax_amount
    return {
        "total_charges_before_tax": number(charged, currency),
        "total_tax_charges": number(tax, currency),
        "total_charges_after_tax": number(charged + tax, currency),
        "total_credit": number(-credited, currency),
        "cart_invoice_line_items": [_order_row(item) for item in items["invoice_items"]],
        "tax_details": items["tax_details"],
    }


ORDER_LINE_NAMES = {
    "line_no": "invoice_line_no",
    "line_units": "units",
    "description": "line_description",
    "date_range_start": "start_date_range",
    "date_range_end": "end_date_range",
}
SAME_IN_ORDERS = (
    *("service_no", "client_service_id", "service_name", "plan_no", "client_plan_id", "plan_name", "rate_per_unit"),
    *("line_amount", "bill_from_address_no", "ship_from_address_no", "bill_to_address_no", "ship_to_address_no"),
)
"""Names of lines in create_order: those that gen_rb_m has otherwise, and those that both have."""


SAME_IN_PLANS = (*SAME_IN_ORDERS, "line_type", "proration_factor", "credit_coupon_code")


def plan_line_rows(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return lines of a planned invoice under the names of assign_acct_plan_m. Two queries."""
    service_nos, instance_nos = _named(lines)
    services = {one.pk: one for one in _services(service_nos)}
    instances = {one.pk: one for one in _instances(instance_nos)}
    rows = []
    for line in lines:
        item = _item(line, services.get(line.service_id or 0), instances.get(line.plan_instance_id or 0))
        item = {**item, "bill_to_address_no": None, "ship_to_address_no": None}
        own = {name: item[other] for name, other in ORDER_LINE_NAMES.items()}
        same = {name: item[name] for name in SAME_IN_PLANS}
        rows.append({**own, **same, "line_base_units": item["base_plan_units"], "po_num": line.po_num or None})
    return rows


def _order_row(item: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: item[other] for name, other in ORDER_LINE_NAMES.items()}
    same = {name: item[name] for name in SAME_IN_ORDERS}
    return {**own, **same, "service_is_tax_ind": int(item["line_type"] == LineType.TAX)}


def proc_fields(attempt: CollectionAttempt | None) -> dict[str, Any]:
    return {name: (getattr(attempt, name) or None) if attempt else None for name in PROC_FIELDS}


def settled_fields(invoice: Invoice, code: str) -> dict[str, Any]:
    """Return the results of collecting an invoice and sending its statement at issue. `code` is Aria's suffix, `cd` or
    `code`."""
    attempt = next(iter(_first_attempts(invoice.pk)), None)
    statement = next(iter(_first_statements(invoice.pk)), None)
    return {
        f"collection_error_{code}": attempt.error_code if attempt else 0,
        "collection_error_msg": _message(attempt),
        f"statement_error_{code}": statement.error_code if statement else 0,
        "statement_error_msg": _message(statement),
        **proc_fields(attempt),
    }


def settled_readings(invoice_no: int) -> list[Reading]:
    """Return what `settled_fields` reads, to be read ahead with others."""
    return [_first_attempts.of(invoice_no), _first_statements.of(invoice_no)]


@compiled_read
def _first_attempts(invoice_no: int) -> QuerySet[CollectionAttempt]:
    return CollectionAttempt.objects.filter(invoice=invoice_no).order_by("attempt_no")[:1]


@compiled_read
def _first_statements(invoice_no: int) -> QuerySet[Statement]:
    return Statement.objects.filter(invoice=invoice_no).order_by("pk")[:1]


def collection_error(code: ErrorCode, message: str) -> dict[str, Any]:
    """Return a row of `collection_errors`."""
    return {"collection_error_code": code.number, "collection_error_msg": message}


def _message(outcome: CollectionAttempt | Statement | None) -> str | None:
    return None if outcome is None else message_of(outcome.error_code, outcome.message)
