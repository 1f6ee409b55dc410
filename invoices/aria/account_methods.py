"""Aria's method calls that read an account's balance, payments and statements."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NO_PLAN_INSTANCE
from accounts.api.serializers import AccountArguments
from accounts.aria.account_methods import PERSON, person_row
from accounts.aria.method_calls import Call, method_call, never
from accounts.clock import day_of, today
from accounts.models import Account
from accounts.services.personal_access import note_access
from accounts.services.plan_lists import plans_of_account
from billing_site.common.fields import DayField, LongField
from invoices.api.account_scope import account_no_of, check_instance
from invoices.aria.arguments import PlanScope, UserIdField
from invoices.aria.documents import number
from invoices.calculation import ZERO, amount_text
from invoices.kinds import EntryKind, InvoiceStatus
from invoices.services.lists.account_money import PaymentHistoryRequest, issued_documents, payments_of_account
from invoices.services.money.ledger.entries import account_balance
from invoices.services.money.ledger.history import description, transaction_type
from invoices.services.money.receivables import receivables_of

MOST_PAYMENTS = 999


class BalanceArguments(PlanScope):
    """get_acct_balance. The balance is that of the account: it is billed as a whole."""


class PlanBalanceArguments(AccountArguments):
    """get_acct_plan_balance. Any plan instance stands for the account, which is billed as a whole."""

    plan_instance_no = LongField(no_such=NO_PLAN_INSTANCE, required=False)

    unsupported = ("client_plan_instance_id",)


class PaymentHistoryArguments(PlanScope):
    """get_acct_payment_history. Details are always there."""

    start_date = DayField(required=False)
    end_date = DayField(required=False)
    limit_records = LongField(max_digits=4, required=False, default=MOST_PAYMENTS)

    without_effect = ("details_flag", "include_unapplied_payments")

    def validate_limit_records(self, limit: int) -> int:
        if not 1 <= limit <= MOST_PAYMENTS:
            raise serializers.ValidationError(f"From 1 to {MOST_PAYMENTS}.")
        return limit


class StatementHistoryArguments(PlanScope):
    """get_acct_statement_history. Each issued invoice or rebill has one statement."""

    user_id = UserIdField()
    start_date = DayField(required=False)
    end_date = DayField(required=False)

    without_effect = ("include_invoice_activity_eligibility",)


class DetailsArguments(AccountArguments):
    """get_acct_details_all. Plans and payment methods are always there."""

    without_effect = (
        "include_master_plans",
        "include_supp_plans",
        "include_payment_methods",
        "include_billing_groups",
        "locale_no",
        "locale_name",
    )


DETAILS = (
    "client_acct_id",
    "userid",
    *PERSON,
    "status_cd",
    "test_acct_ind",
    "taxpayer_id",
    "acct_start_date",
    "invoice_approval_required",
    "acct_currency",
    "acct_balance",
    "payment_methods_info",
    "master_plan_count",
    "supp_plan_count",
    "master_plans_info",
)
_shows_details = method_call(DetailsArguments, outputs=DETAILS, refused_act="details.refused", writes=never)
_shows_balance = method_call(
    BalanceArguments,
    outputs=("currency_cd", "acct_balance", "master_plan_instances"),
    refused_act="details.refused",
    writes=never,
)
_shows_plan_balance = method_call(
    PlanBalanceArguments,
    outputs=("currency_cd", "current_balance_due", "total_balance_due"),
    refused_act="details.refused",
    writes=never,
)
_shows_payments = method_call(
    PaymentHistoryArguments,
    outputs=("acct_payment_history", "unapplied_payment_summary"),
    refused_act="history.refused",
    writes=never,
)
_shows_statements = method_call(
    StatementHistoryArguments, outputs=("statements_history",), refused_act="history.refused", writes=never
)


class AccountMoneyMethods:
    @_shows_details
    def get_acct_details_all(self, call: Call) -> Mapping[str, Any]:
        return _details(call)

    @_shows_details
    def get_acct_details_all_m(self, call: Call) -> Mapping[str, Any]:
        return _details(call)

    @_shows_balance
    def get_acct_balance(self, call: Call) -> Mapping[str, Any]:
        return _balance(call)

    @_shows_balance
    def get_acct_balance_m(self, call: Call) -> Mapping[str, Any]:
        return _balance(call)

    @_shows_plan_balance
    def get_acct_plan_balance(self, call: Call) -> Mapping[str, Any]:
        return _plan_balance(call)

    @_shows_plan_balance
    def get_acct_plan_balance_m(self, call: Call) -> Mapping[str, Any]:
        return _plan_balance(call)

    @_shows_payments
    def get_acct_payment_history(self, call: Call) -> Mapping[str, Any]:
        return _payments(call)

    @_shows_payments
    def get_acct_payment_history_m(self, call: Call) -> Mapping[str, Any]:
        return _payments(call)

    @_shows_statements
    def get_acct_statement_history(self, call: Call) -> Mapping[str, Any]:
        return _statements(call)

    @_shows_statements
    def get_acct_statement_history_m(self, call: Call) -> Mapping[str, Any]:
        return _statements(call)


def _details(call: Call) -> Mapping[str, Any]:
    """Return the account with its first contact."""
    account = Account.objects.get(pk=account_no_of(call))
    contact = account.contacts.order_by("contact_no").first()
    note_access(call.client, [account.pk], call.caller)
    plans = plans_of_account(account.pk)
    return {
        **(person_row(contact) if contact else {}),
        "client_acct_id": account.client_acct_id or None,
        "userid": account.client_acct_id or None,
        "status_cd": account.status,
        "test_acct_ind": int(account.is_test),
        "taxpayer_id": account.tax_id or None,
        "acct_start_date": str(day_of(call.client, account.created_at)),
        "invoice_approval_required": int(account.invoice_approval_required),
        "acct_currency": account.currency,
        "acct_balance": number(account_balance(account), account.currency),
        "payment_methods_info": [
            {"payment_method_no": one.pk, "pay_method_name": one.label or None, "pay_method_description": str(one.type)}
            for one in account.payment_methods.order_by("pk")
        ],
        "master_plan_count": len(plans),
        "supp_plan_count": 0,
        "master_plans_info": [
            {
                "master_plan_instance_no": one.pk,
                "client_master_plan_id": one.plan.client_plan_id,
                "master_plan_no": one.plan_id,
                "bill_day": account.bill_day,
                "last_bill_date": _text(account.last_bill_date),
                "next_bill_date": _text(account.next_bill_date),
                "last_bill_thru_date": _text(one.billed_through),
                "plan_date": str(one.start_date),
                "plan_deprovisioned_date": _text(one.end_date),
                "recurring_billing_interval": one.plan.billing_interval,
                "po_num": one.po_num or None,
            }
            for one in plans
        ],
    }


def _balance(call: Call) -> Mapping[str, Any]:
    """Return the balance. Aria's type of it is text."""
    account = Account.objects.get(pk=account_no_of(call))
    plans = plans_of_account(account.pk)
    return {
        "currency_cd": account.currency,
        "acct_balance": f"{account_balance(account):f}",
        "master_plan_instances": [{"master_plan_instance_no": one.pk, "master_plan_name": one.plan.name} for one in plans],
    }


def _plan_balance(call: Call) -> Mapping[str, Any]:
    """Return what is open on the account's invoices: on those that are not overdue, and in total. Aria's type of it is text."""
    account = Account.objects.get(pk=account_no_of(call))
    if "plan_instance_no" in call.arguments:
        check_instance(account.pk, "plan_instance_no", call.arguments["plan_instance_no"])
    (owed,) = receivables_of([account], today(call.client))
    return {
        "currency_cd": account.currency,
        "current_balance_due": amount_text(owed.ages.current, account.currency),
        "total_balance_due": amount_text(owed.ages.total, account.currency),
    }


def _payments(call: Call) -> Mapping[str, Any]:
    account = Account.objects.get(pk=account_no_of(call))
    arguments = call.arguments
    request = PaymentHistoryRequest(arguments.get("start_date"), arguments.get("end_date"), arguments["limit_records"])
    payments = payments_of_account(account.pk, request)
    unapplied = sum((left_of(one) for one in payments), ZERO)
    return {
        "acct_payment_history": [_payment_row(one, account.currency) for one in payments],
        "unapplied_payment_summary": number(unapplied, account.currency),
    }


def left_of(entry: Any) -> Any:
    """Return what of a payment pays nothing. A voided one has nothing left."""
    return ZERO if entry.is_voided else -entry.amount - entry.taken


def _payment_row(entry: Any, currency: str) -> dict[str, Any]:
    payment = entry.payment
    attempt = getattr(payment, "attempt", None)
    return {
        "transaction_id": entry.pk,
        "payment_source": description(entry),
        "payment_status": "voided" if entry.is_voided else "collected",
        "payment_date": str(entry.entry_date),
        "payment_trans_type": transaction_type(entry),
        "payment_currency": currency,
        "payment_amount": number(-entry.amount, currency),
        "payment_amount_left_to_apply": number(left_of(entry), currency),
        "voiding_event_no": entry.voided_by.pk if entry.is_voided else None,
        "voidable_flag": int(not entry.is_voided and entry.kind != EntryKind.ELECTRONIC_PAYMENT),
        "proc_status_code": (attempt.proc_status_code or None) if attempt else None,
        "proc_payment_id": payment.gateway_payment_id or None,
        "proc_auth_code": (attempt.proc_auth_code or None) if attempt else None,
        "proc_status_text": (attempt.proc_status_text or None) if attempt else None,
        "payment_timestamp": f"{entry.created_at:%Y-%m-%d %H:%M:%S}",
        "payment_method_no": payment.payment_method_id,
        "payment_received_date": str(payment.received_on),
    }


def _statements(call: Call) -> Mapping[str, Any]:
    arguments = call.arguments
    documents = issued_documents(account_no_of(call), arguments.get("start_date"), arguments.get("end_date"))
    return {"statements_history": [_statement_row(one) for one in documents]}


def _statement_row(invoice: Any) -> dict[str, Any]:
    currency, due = invoice.currency, invoice.due_date
    return {
        "statement_no": invoice.pk,
        "create_date": str(invoice.invoice_date),
        "currency_cd": currency,
        "due_date": _text(due),
        "due_date_plus_grace_period": _text(due),
        "new_charges_amount": number(invoice.total_amount, currency),
        "new_payments_amount": number(invoice.amount_paid, currency),
        "total_amount": number(invoice.total_amount, currency),
        "is_paid_ind": int(invoice.status == InvoiceStatus.APPROVED and invoice.open_amount <= ZERO),
        "seq_statement_id": invoice.document_number,
        "invoice_no": invoice.pk,
    }


def _text(day: date | None) -> str | None:
    return None if day is None else str(day)
