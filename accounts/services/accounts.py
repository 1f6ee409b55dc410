"""Create clients and accounts, and find and lock accounts. All views and commands use these functions."""

from typing import Any

from django.db import transaction
from django.db.models import Max, Model, QuerySet

from accounts.callers import Caller
from accounts.keys import create_key, rights_to_give
from accounts.kinds import ELECTRONIC_METHODS, ContactRole
from accounts.models import Account, ApiKey, Client, Contact, PaymentMethod
from accounts.rights import check_may_change, may_make_keys
from accounts.services.named_rows import Named, row_named
from billing_site.errors import ErrorCode


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
    account = planned_account(client=client, caller=caller, **fields)
    account.save()
    return account


def planned_account(*, client: Client, caller: Caller, **fields: Any) -> Account:
    """Return an account as `create_account` would store it. Writes nothing. Refuses the same."""
    check_may_change(caller, "add", "accounts.account")
    fields.setdefault("invoice_approval_required", client.invoice_approval_required)
    account = Account(client=client, **fields)
    account.full_clean()
    return account


@transaction.atomic
def add_contact(*, account: Account, caller: Caller, **fields: Any) -> Contact:
    """Add a contact to an account, with the number after its highest one. Raises ValidationError for fields that are not valid.

    Refuses (90009) a caller who may not add contacts. Its role is "other" unless another is given, so the addresses that the
    account is billed and taxed at stay as they are.
    """
    check_may_change(caller, "add", "accounts.contact")
    lock_account(account.pk)
    last = Contact.objects.filter(account=account).aggregate(last=Max("contact_no"))["last"] or 0
    contact = Contact(account=account, contact_no=last + 1, **{"role": ContactRole.OTHER, **fields})
    contact.full_clean()
    contact.save()
    return contact


def find_account_no(
    client: Client,
    acct_no: int | None,
    client_acct_id: str | None = None,
    number_field: str = "acct_no",
    id_field: str = "client_acct_id",
) -> int:
    """Return the number of the client's account, named by number, by the client's own id, or by both.

    Refuses (1009) an account that does not exist or is another client's, and (1016) two names of different accounts.
    `number_field` and `id_field` are the names under which they were sent.
    """
    return account_no_named(client, {number_field: ("pk", acct_no), id_field: ("client_acct_id", client_acct_id)})


def account_no_named(client: Client, named: Named) -> int:
    """Return the number of the client's account that all these names are of. Refuses as `find_account_no`."""
    rows = Account.objects.filter(client=client).values_list("pk", flat=True)
    number: int = row_named(rows, named, ErrorCode.ACCOUNT_NOT_FOUND)
    return number


def electronic_methods() -> QuerySet[PaymentMethod]:
    """Return the payment methods with a token, by which a gateway can collect. Disabled ones are left out."""
    return methods_with_token().filter(is_disabled=False)


def methods_with_token() -> QuerySet[PaymentMethod]:
    """Return the payment methods that a gateway knows, disabled ones too."""
    return PaymentMethod.objects.filter(type__in=ELECTRONIC_METHODS).exclude(token="")


def lock_row(row: Model) -> None:
    """Lock a row of master data until the end of the transaction. Rows of an account are locked by their account."""
    owner = getattr(row, "plan_instance", None) or row
    account_no = getattr(owner, "account_id", None)
    if account_no is not None:
        lock_account(account_no)
    else:
        list(type(row)._default_manager.select_for_update(no_key=True).filter(pk=row.pk).order_by().values_list("pk"))


def lock_account(account_no: int) -> Account:
    """Lock the account until the end of the transaction. Bills that are planned meanwhile must be planned again."""
    return Account.objects.select_for_update(no_key=True).get(pk=account_no)
