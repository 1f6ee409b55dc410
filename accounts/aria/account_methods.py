"""Aria's method calls that find accounts, show their contacts, and change their status."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from rest_framework import serializers

from accounts.api.fields import NO_ACCOUNT, ReceiptIdField
from accounts.api.serializers import ACCOUNT_COLUMNS, AccountArguments
from accounts.aria.method_calls import Call, method_call, never
from accounts.kinds import AccountStatus, ContactRole
from accounts.models import Contact
from accounts.receipts import use
from accounts.rights import ROW_RIGHTS
from accounts.services.accounts import account_no_named, find_account_no, lock_account
from accounts.services.changing import change_row
from accounts.services.named_rows import names_in
from accounts.services.personal_access import note_access
from billing_site.common.fields import GivenSerializer, LongField

CONTACT_GROUPS = {
    "account_contact": (ContactRole.ACCOUNT, ""),
    "billing_contacts": (ContactRole.BILLING, "bill_"),
    "statement_contacts": (ContactRole.STATEMENT, "stat_"),
    "other_contacts": (ContactRole.OTHER, "other_"),
}
"""Aria's rows of contacts: their role here, and how the names of their fields begin."""

COUNTRY_CD = ("", "other_")
"""Rows whose country is `country_cd`, by the beginning of their names. In others it is `country`."""


class UserIdArguments(GivenSerializer):
    """get_acct_no_from_user_id. The user id is the client's own id of the account."""

    user_id = serializers.CharField(max_length=50)


class ContactsArguments(AccountArguments):
    """get_acct_contacts_m."""

    without_effect = ("include_unused_contacts",)
    unsupported = ("billing_group_no", "client_billing_group_id")


class StatusArguments(AccountArguments):
    """update_acct_status, at once."""

    account_no = LongField(no_such=NO_ACCOUNT, required=False)
    status_cd = LongField(max_digits=4)
    client_receipt_id = ReceiptIdField()

    unsupported = ("queue_days", "queue_date", "force_bill_date_reset", "alt_do_dunning", "status_degrade_date", "comments")

    def validate_status_cd(self, status: int) -> int:
        if status not in AccountStatus.values:
            raise serializers.ValidationError("Not a status of accounts.")
        return status


_finds = method_call(UserIdArguments, outputs=("acct_no",), refused_act="details.refused", writes=never)
_changes_status = method_call(
    StatusArguments,
    outputs=(),
    names={"status": "status_cd"},
    refused_act="account.refused",
    right=ROW_RIGHTS["change", "accounts.account"],
    answer=lambda call, nothing: {},
)


class AccountMethods:
    @_finds
    def get_acct_no_from_user_id(self, call: Call) -> Mapping[str, Any]:
        return _number(call)

    @_finds
    def get_acct_no_from_user_id_m(self, call: Call) -> Mapping[str, Any]:
        return _number(call)

    @method_call(ContactsArguments, outputs=tuple(CONTACT_GROUPS), refused_act="details.refused", writes=never)
    def get_acct_contacts_m(self, call: Call) -> Mapping[str, Any]:
        account_no = _account_no(call)
        note_access(call.client, [account_no], call.caller)
        contacts = list(Contact.objects.filter(account=account_no).order_by("contact_no"))
        return {
            group: [_contact_row(one, prefix) for one in contacts if one.role == role]
            for group, (role, prefix) in CONTACT_GROUPS.items()
        }

    @_changes_status
    def update_acct_status(self, call: Call) -> None:
        _change_status(call)

    @_changes_status
    def update_acct_status_m(self, call: Call) -> None:
        _change_status(call)


def _number(call: Call) -> Mapping[str, Any]:
    return {"acct_no": find_account_no(call.client, None, call.arguments["user_id"], id_field="user_id")}


def _account_no(call: Call) -> int:
    return account_no_named(call.client, names_in(call.arguments, ACCOUNT_COLUMNS))


@transaction.atomic
def _change_status(call: Call) -> None:
    account = lock_account(_account_no(call))
    change_row(account, {"status": call.arguments["status_cd"]}, caller=call.caller)
    use(call.client, call.caller.receipt, row_no=account.pk)


def _contact_row(contact: Contact, prefix: str) -> dict[str, Any]:
    row = {"contact_no": contact.contact_no, **person_row(contact)}
    if prefix not in COUNTRY_CD:
        row["country"] = row.pop("country_cd")
    return {f"{prefix}{name}": value for name, value in row.items()}


PERSON = (
    "first_name",
    "last_name",
    "company_name",
    "address1",
    "address2",
    "city",
    "state_prov",
    "country_cd",
    "postal_cd",
    "phone",
    "email",
)


def person_row(contact: Contact) -> dict[str, Any]:
    """Return the name and address of a contact (`PERSON`). Aria has two names of a person: the last one is the last word of
    ours."""
    first, _, last = contact.name.rpartition(" ")
    return {
        "first_name": first or None,
        "last_name": last or None,
        "company_name": contact.company or None,
        "address1": contact.address1 or None,
        "address2": contact.address2 or None,
        "city": contact.city or None,
        "state_prov": contact.region or None,
        "country_cd": contact.country or None,
        "postal_cd": contact.postal_code or None,
        "phone": contact.phone or None,
        "email": contact.email or None,
    }
