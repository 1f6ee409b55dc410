"""Create clients and accounts, and find and lock accounts. All views and commands use these functions."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.callers import Caller
from accounts.keys import create_key, rights_to_give
from accounts.kinds import ELECTRONIC_METHODS
from accounts.models import Account, ApiKey, Client, PaymentMethod
from accounts.rights import check_may_change, may_make_keys
from billing_site.errors import BillingError, Detail, ErrorCode


@transaction.atomic
def create_client(*, name: str, caller: Caller, **settings: Any) -> tuple[Client, ApiKey | None, str]:
    """Create a client, and return it with its first key and the auth_key, which cannot be shown later.

    The key has every right that the caller may give. If the caller may give none, there is no key.
    """
    client = Client(name=name, **settings)
    client.full_clean()
    client.save()
    if not may_make_keys(caller, read_only=True):
        return client, None, ""
    key, auth_key = create_key(client, caller=caller, name="first key", **rights_to_give(caller))
    return client, key, auth_key


def create_account(*, client: Client, caller: Caller, **fields: Any) -> Account:
    """Open an account. It requires approval of its invoices if its client does.

    Refuses (90009) a caller who may not add accounts.
    """
    check_may_change(caller, "add", "accounts.account")
    fields.setdefault("invoice_approval_required", client.invoice_approval_required)
    account = Account(client=client, **fields)
    account.full_clean()
    account.save()
    return account


def find_account_no(
    client: Client, acct_no: int | None, client_acct_id: str | None = None, number_field: str = "acct_no"
) -> int:
    """Return the number of the client's account, named by number or else by the client's own id.

    Refuses (1009) an account that does not exist or is another client's. `number_field` is the name under which the number was
    sent.
    """
    named = {"pk": acct_no} if acct_no is not None else {"client_acct_id": client_acct_id}
    number = Account.objects.filter(client=client, **named).values_list("pk", flat=True).first()
    if number is None:
        field = number_field if acct_no is not None else "client_acct_id"
        raise BillingError(
            ErrorCode.ACCOUNT_NOT_FOUND,
            Detail("{field} {value}", field=field, value=acct_no or client_acct_id),
            field=field,
        )
    return number


def electronic_methods() -> QuerySet[PaymentMethod]:
    """Return the payment methods with a token, by which a gateway can collect."""
    return PaymentMethod.objects.filter(type__in=ELECTRONIC_METHODS).exclude(token="")


def lock_account(account_no: int) -> Account:
    """Lock the account until the end of the transaction. Bills that are planned meanwhile must be planned again."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_no)
