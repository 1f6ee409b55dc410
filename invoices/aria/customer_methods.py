"""Aria's method calls that create and change customers."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import transaction
from rest_framework import serializers
from rest_framework.fields import empty

from accounts.api.fields import CountryField, ReceiptIdField
from accounts.api.input_errors import refusal_of, wrong_inputs
from accounts.api.serializers import AccountArguments
from accounts.aria.account_methods import person_row
from accounts.aria.method_calls import Call, method_call
from accounts.clock import today
from accounts.kinds import AccountStatus, ContactRole
from accounts.models import Account, Client, Contact, PaymentMethod, Plan, PlanInstance
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS, check_may_change
from accounts.services.accounts import lock_account
from accounts.services.changing import change_row
from accounts.services.customers import FirstPlan, check_customer, open_customer
from accounts.services.named_rows import names_in, row_named
from billing_site.common.fields import DayField, DigitsField, FlagField, GivenSerializer, LongField, TrueFalseField, rows_of
from billing_site.common.languages import Language
from billing_site.errors import BillingError, Detail, ErrorCode, listed
from invoices.api.account_scope import account_no_of
from invoices.aria.arguments import CurrencyField, TextField
from invoices.aria.payment_method_methods import METHOD_NAMES, NewMethodRow, add_method

CUSTOMER_NAMES = {
    "client_acct_id": "client_acct_id",
    "tax_id": "taxpayer_id",
    "name": "last_name",
    "company": "company_name",
    "region": "state_prov",
    "postal_code": "postal_cd",
    "currency": "acct_currency",
    "status": "status_cd",
    "bill_day": "alt_bill_day",
    "language": "locale_name",
    "plan": "plan_no",
    "units": "plan_instance_units",
    "start_date": "alt_start_date",
}
"""Aria's field names, by ours."""

CLEARED = "~"
"""What Aria's clients send to clear a text."""

PLANS_AT_ONCE = 20
METHODS_AT_ONCE = 10
ACCOUNTS_AT_ONCE = 20


def validate_status(status: int) -> None:
    if status not in AccountStatus.values:
        raise serializers.ValidationError("Not a status of accounts.")


class LocaleField(serializers.CharField):
    """A language of statements, as en, de or de_DE."""

    def __init__(self) -> None:
        super().__init__(max_length=40, required=False)

    def run_validation(self, data: Any = empty) -> Any:
        language = super().run_validation(data).replace("-", "_").partition("_")[0].lower()
        if language not in Language.values:
            raise serializers.ValidationError(f"Give one of {', '.join(Language.values)}.")
        return language


class PersonArguments(GivenSerializer):
    """A name and an address, as the account's first contact has them."""

    first_name = TextField(100)
    last_name = TextField(100)
    company_name = TextField(200)
    address1 = TextField(200)
    address2 = TextField(200)
    city = TextField(100)
    state_prov = TextField(100)
    postal_cd = TextField(20)
    phone = TextField(30)
    email = TextField(254)


class FirstPlanRow(GivenSerializer):
    """A plan by its number or the client's id of it."""

    plan_no = LongField(required=False)
    client_plan_id = TextField(100)
    plan_instance_units = DigitsField(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False)
    po_num = TextField(1000)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if not {"plan_no", "client_plan_id"} & set(values):
            raise serializers.ValidationError({"plan_no": "Give plan_no or client_plan_id."}, code="required")
        return values


class NewAccountRow(PersonArguments):
    """An account with its first contact. The client's id is the user id, too. Its plans begin on `alt_start_date`, or today."""

    client_acct_id = TextField(50)
    userid = TextField(50)
    acct_currency = CurrencyField()
    country = CountryField(required=False)
    status_cd = LongField(max_digits=4, required=False, validators=[validate_status])
    test_acct_ind = FlagField(required=False)
    invoice_approval_required = FlagField(required=False)
    taxpayer_id = TextField(50)
    locale_name = LocaleField()
    alt_bill_day = LongField(max_digits=2, required=False)
    alt_start_date = DayField(required=False)
    payment_method = rows_of(NewMethodRow(), most=METHODS_AT_ONCE, required=False)
    master_plans_detail = rows_of(FirstPlanRow(), most=PLANS_AT_ONCE, required=False)

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return _with_one_id(values)


class NewAccountsArguments(GivenSerializer):
    """create_acct_complete_m: accounts without children. The answer of `do_write` false has no numbers."""

    acct = rows_of(NewAccountRow(), most=ACCOUNTS_AT_ONCE, allow_empty=False)
    do_write = TrueFalseField(required=False, default=True)
    client_receipt_id = ReceiptIdField()

    def validate_acct(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        ids = [row["client_acct_id"] for row in rows]
        again = [{"client_acct_id": ["Another row has this id."]} if one in ids[:at] else {} for at, one in enumerate(ids)]
        if any(again):
            raise serializers.ValidationError(again)
        return rows


class NewAccountArguments(PersonArguments):
    """create_acct_complete: the same account in one row, with one plan."""

    client_acct_id = TextField(50)
    userid = TextField(50)
    currency_cd = CurrencyField()
    country = CountryField(required=False)
    status_cd = LongField(max_digits=4, required=False, validators=[validate_status])
    test_acct_ind = FlagField(required=False)
    invoice_approval_required = FlagField(required=False)
    taxpayer_id = TextField(50)
    alt_bill_day = LongField(max_digits=2, required=False)
    alt_start_date = DayField(required=False)
    master_plan_no = LongField(required=False)
    client_master_plan_id = TextField(100)
    master_plan_units = DigitsField(max_digits=15, decimal_places=4, min_value=Decimal(0), required=False)
    client_receipt_id = ReceiptIdField()

    def validate(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if "master_plan_units" in values and not {"master_plan_no", "client_master_plan_id"} & set(values):
            raise serializers.ValidationError(
                {"master_plan_units": "Give master_plan_no or client_master_plan_id, too: the plan that the units are of."}
            )
        return _with_one_id(values)


def _with_one_id(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values with one id of the account. Refuses two that differ, because an account has one here."""
    ids = {values[name] for name in ("client_acct_id", "userid") if name in values}
    if not ids:
        raise serializers.ValidationError({"client_acct_id": "Give client_acct_id or userid."}, code="required")
    if len(ids) > 1:
        raise serializers.ValidationError({"userid": "An account has one id here: give userid and client_acct_id alike."})
    return {**values, "client_acct_id": ids.pop()}


class ChangeAccountArguments(PersonArguments, AccountArguments):
    """update_acct_complete: what is given of the account and of one contact, the first if none is named. A value of ~ clears a
    text."""

    userid = TextField(50)
    new_client_acct_id = TextField(50)
    acct_contact_no = LongField(max_digits=9, required=False)
    country_cd = CountryField(required=False)
    status_cd = LongField(max_digits=4, required=False, validators=[validate_status])
    test_acct_ind = FlagField(required=False)
    invoice_approval_required = FlagField(required=False)
    taxpayer_id = TextField(50)
    locale_name = LocaleField()
    client_receipt_id = ReceiptIdField()


UPDATED = (
    *("collection_error_code", "collection_error_msg", "proc_cvv_response", "proc_avs_response", "proc_cavv_response"),
    *("proc_status_code", "proc_status_text", "proc_payment_id", "proc_auth_code", "proc_merch_comments"),
    *("proc_initial_auth_txn_id", "third_party_errors", "acct_locale_name", "acct_contact_no_2"),
)
_changes_account = method_call(
    ChangeAccountArguments,
    outputs=UPDATED,
    names={**CUSTOMER_NAMES, "client_acct_id": "new_client_acct_id", "country": "country_cd"},
    refused_act="account.refused",
    right=ROW_RIGHTS["change", "accounts.account"],
    resume=lambda call, receipt: receipt.row_no,
    answer=lambda call, contact_no: {
        "acct_contact_no_2": contact_no,
        "acct_locale_name": Account.objects.get(pk=account_no_of(call)).language or call.client.language,
    },
)


class Opened(NamedTuple):
    """An account that a row of a call describes, and the refusals of its payment methods. No number: it was only checked."""

    row: Mapping[str, Any]
    number: int | None
    refusals: Sequence[BillingError]


class CustomerMethods:
    @method_call(
        NewAccountArguments,
        outputs=("acct_no", "client_acct_id", "userid", "plan_instance_no"),
        names={
            **CUSTOMER_NAMES,
            "currency": "currency_cd",
            "plan": "master_plan_no",
            "plan_no": "master_plan_no",
            "client_plan_id": "client_master_plan_id",
            "units": "master_plan_units",
        },
        refused_act="account.refused",
        right=ROW_RIGHTS["add", "accounts.account"],
        resume=lambda call, receipt: receipt.row_no,
        answer=lambda call, number: _one_account(number),
    )
    def create_acct_complete(self, call: Call) -> int:
        return _store(call, _row_of(call.arguments))

    @method_call(
        NewAccountsArguments,
        outputs=("out_acct", "cc_auth_details"),
        names=CUSTOMER_NAMES,
        refused_act="account.refused",
        right=ROW_RIGHTS["add", "accounts.account"],
        writes=lambda arguments: arguments["do_write"],
        resume=lambda call, receipt: _with_methods(call),
        answer=lambda call, opened: {"out_acct": _account_rows(call, opened)},
    )
    def create_acct_complete_m(self, call: Call) -> list[Opened]:
        """Open the accounts, all of them or none. Then their payment methods are added: the gateway is asked about each. One
        that is refused is in `billing_errors`; the account stays."""
        rows = call.arguments["acct"]
        if not call.arguments["do_write"]:
            for place, row in enumerate(rows):
                with _row_named(place):
                    check_customer(client=call.client, caller=call.caller, **_customer(call, row))
            return [Opened(row, None, []) for row in rows]
        numbers = _store_all(call, rows)
        return [Opened(row, number, _add_methods(call, number, row)) for row, number in zip(rows, numbers, strict=True)]

    @_changes_account
    def update_acct_complete(self, call: Call) -> int | None:
        return _change(call)

    @_changes_account
    def update_acct_complete_m(self, call: Call) -> int | None:
        return _change(call)


def _row_of(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of Aria's older call as a row of the newer one."""
    plan = {
        name: arguments[sent]
        for name, sent in (
            ("plan_no", "master_plan_no"),
            ("client_plan_id", "client_master_plan_id"),
            ("plan_instance_units", "master_plan_units"),
        )
        if sent in arguments
    }
    plans = [plan] if {"plan_no", "client_plan_id"} & set(plan) else []
    return {**arguments, "acct_currency": arguments["currency_cd"], "master_plans_detail": plans}


def _customer(call: Call, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account, contact and plans that a row describes."""
    day = row.get("alt_start_date") or today(call.client)
    account = {ours: row[sent] for ours, sent in OF_ACCOUNT.items() if sent in row}
    return {
        "account": account,
        "contact": _new_contact(row),
        "plans": [_first_plan(call.client, one, day) for one in row.get("master_plans_detail", [])],
    }


OF_ACCOUNT = {
    "client_acct_id": "client_acct_id",
    "currency": "acct_currency",
    "status": "status_cd",
    "is_test": "test_acct_ind",
    "invoice_approval_required": "invoice_approval_required",
    "tax_id": "taxpayer_id",
    "language": "locale_name",
    "bill_day": "alt_bill_day",
}
OF_CONTACT = {
    "company": "company_name",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "region": "state_prov",
    "postal_code": "postal_cd",
    "phone": "phone",
    "email": "email",
}


def _new_contact(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {ours: row[sent] for ours, sent in OF_CONTACT.items() if sent in row}
    name = " ".join(row[one] for one in ("first_name", "last_name") if one in row)
    return {
        **values,
        "role": ContactRole.ACCOUNT,
        "name": name or row.get("company_name", "") or row["client_acct_id"],
        "country": row.get("country", ""),
    }


def _first_plan(client: Client, row: Mapping[str, Any], day: date) -> FirstPlan:
    """Return a plan that a new customer begins with. Refuses one that is not the client's (1002), and names of different plans
    (1016)."""
    columns = {"plan_no": "pk", "client_plan_id": "client_plan_id"}
    plan: Plan = row_named(Plan.objects.filter(client=client), names_in(row, columns))
    return FirstPlan(plan, row.get("plan_instance_units", Decimal(1)), day, row.get("po_num", ""))


@transaction.atomic
def _store(call: Call, row: Mapping[str, Any]) -> int:
    account = open_customer(client=call.client, caller=call.caller, **_customer(call, row))
    use(call.client, call.caller.receipt, row_no=account.pk)
    return int(account.pk)


@transaction.atomic
def _store_all(call: Call, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Open an account for each row, in their order, and return their numbers. A refusal names its row; then none is opened."""
    numbers = []
    for place, row in enumerate(rows):
        with _row_named(place):
            numbers.append(int(open_customer(client=call.client, caller=call.caller, **_customer(call, row)).pk))
    use(call.client, call.caller.receipt, row_no=numbers[0])
    return numbers


@contextmanager
def _row_named(place: int) -> Iterator[None]:
    """Name the row of `acct` in what refuses it."""
    path = f"acct[{place}]"
    try:
        yield
    except ValidationError as error:
        messages = {CUSTOMER_NAMES.get(name, name): rows for name, rows in error.error_dict.items()}
        named = {path if name == NON_FIELD_ERRORS else f"{path}.{name}": rows for name, rows in messages.items()}
        raise ValidationError(named) from None
    except BillingError as error:
        refusal = error.renamed(CUSTOMER_NAMES)
        detail = listed((path, refusal.detail), ": ") if refusal.detail else path
        raise BillingError(refusal.code, detail, field=refusal.within(path).field, instead=refusal.instead) from None


def _with_methods(call: Call) -> list[Opened]:
    """Finish an interrupted call: add the payment methods of each of its accounts that has none yet."""
    rows = call.arguments["acct"]
    ids = [row["client_acct_id"] for row in rows]
    accounts = Account.objects.filter(client=call.client, client_acct_id__in=ids).prefetch_related("payment_methods")
    found = {account.client_acct_id: account for account in accounts}
    opened = [(row, found[row["client_acct_id"]]) for row in rows if row["client_acct_id"] in found]
    return [
        Opened(row, account.pk, [] if account.payment_methods.all() else _add_methods(call, account.pk, row))
        for row, account in opened
    ]


def _add_methods(call: Call, account_no: int, row: Mapping[str, Any]) -> list[BillingError]:
    refusals = []
    for method in row.get("payment_method", []):
        try:
            add_method(call, account_no, method)
        except BillingError as error:
            refusals.append(error.renamed(METHOD_NAMES))
        except ValidationError as error:
            refusals.append(refusal_of(wrong_inputs(error)))
    return refusals


def _one_account(number: int) -> Mapping[str, Any]:
    account = Account.objects.get(pk=number)
    return {
        "acct_no": account.pk,
        "client_acct_id": account.client_acct_id,
        "userid": account.client_acct_id,
        "plan_instance_no": account.plan_instances.order_by("pk").values_list("pk", flat=True).first(),
    }


def _account_rows(call: Call, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return the rows of `out_acct`. A billing run invoices the accounts, or gen_invoice_m; this call does not."""
    numbers = [one.number for one in opened if one.number is not None]
    plans: dict[int | None, list[PlanInstance]] = defaultdict(list)
    methods: dict[int | None, list[PaymentMethod]] = defaultdict(list)
    for instance in PlanInstance.objects.filter(account__in=numbers).order_by("pk").select_related("plan"):
        plans[instance.account_id].append(instance)
    for method in PaymentMethod.objects.filter(account__in=numbers).order_by("pk"):
        methods[method.account_id].append(method)
    return [_account_row(call, one, plans[one.number], methods[one.number]) for one in opened]


def _account_row(call: Call, one: Opened, plans: Sequence[PlanInstance], methods: Sequence[PaymentMethod]) -> dict[str, Any]:
    return {
        "acct_no": one.number,
        "userid": one.row["client_acct_id"],
        "client_acct_id": one.row["client_acct_id"],
        "acct_locale_name": one.row.get("locale_name") or call.client.language,
        "acct_contact_no": None if one.number is None else 1,
        "billing_contact_details": [{"payment_method_no": method.pk, "bill_contact_no": None} for method in methods],
        "billing_errors": [
            {"collection_error_code": error.code.number, "collection_error_msg": error.message} for error in one.refusals
        ],
        "master_plans_assigned": [
            {
                "plan_instance_no": instance.pk,
                "plan_no": instance.plan_id,
                "client_plan_id": instance.plan.client_plan_id,
                "plan_units": float(instance.units),
            }
            for instance in plans
        ],
    }


@transaction.atomic
def _change(call: Call) -> int | None:
    """Change the account and one contact, and return the contact's number. All or nothing."""
    arguments = call.arguments
    account = lock_account(account_no_of(call))
    changes = {ours: _text(arguments[sent]) for ours, sent in OF_ACCOUNT.items() if sent in arguments and sent not in NAMING}
    if "new_client_acct_id" in arguments:
        changes["client_acct_id"] = arguments["new_client_acct_id"]
    change_row(account, changes, caller=call.caller)
    contact = _contact(account.pk, arguments.get("acct_contact_no"))
    values = _contact_changes(contact, arguments)
    if values and contact is None:
        check_may_change(call.caller, "add", "accounts.contact")
        contact = Contact(account=account, contact_no=1, role=ContactRole.ACCOUNT, **{"name": account.client_acct_id, **values})
        contact.full_clean()
        contact.save()
    elif values and contact is not None:
        change_row(contact, values, caller=call.caller)
    number = None if contact is None else int(contact.contact_no)
    use(call.client, call.caller.receipt, row_no=number)
    return number


NAMING = ("client_acct_id", "acct_currency", "alt_bill_day")
"""Arguments that name the account, or that only creating one has."""


def _text(value: Any) -> Any:
    return "" if value == CLEARED else value


def _contact(account_no: int, contact_no: int | None) -> Contact | None:
    """Return the contact that a call names, or the first. Refuses one that does not exist (1002)."""
    contacts = Contact.objects.filter(account=account_no).order_by("contact_no")
    if contact_no is None:
        return contacts.first()
    contact = contacts.filter(contact_no=contact_no).first()
    if contact is None:
        detail = Detail("acct_contact_no {number} is not on account {account_no}", number=contact_no, account_no=account_no)
        raise BillingError(ErrorCode.NO_DATA, detail, field="acct_contact_no")
    return contact


def _contact_changes(contact: Contact | None, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changed values of a contact. If one part of its name is given, the other part stays."""
    values = {ours: _text(arguments[sent]) for ours, sent in OF_CONTACT.items() if sent in arguments}
    if "country_cd" in arguments:
        values["country"] = _text(arguments["country_cd"])
    if {"first_name", "last_name"} & set(arguments):
        now = {} if contact is None else person_row(contact)
        parts = [_text(arguments.get(name, now.get(name))) for name in ("first_name", "last_name")]
        values["name"] = " ".join(part for part in parts if part)
    return values
