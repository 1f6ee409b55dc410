"""One act on what an account is billed for: under the account's lock, in a short transaction, with its event."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F

from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.services import lock_account
from accounts.trail import record_acts, refusal
from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure, limit_lock_wait
from billing_site.errors import BillingError, ErrorCode
from invoices.services.documents.batches import LOCK_WAIT_SECONDS


@contextmanager
def account_act(
    client: Client, account_no: int, caller: Caller, refused_act: str, *, invoice_no: int | None = None
) -> Iterator[Account]:
    """The client's account under its lock. Whatever is refused inside leaves nothing but the refusal's event, which names the
    invoice that is in the way, if there is one.

    A lock is waited for 5 seconds; then it is 3108. A row that the database refuses is what `refusal_of` says. An invoice that
    is planned meanwhile is not recorded where the act calls `billing_changed`.
    """
    if not Account.objects.filter(client=client, pk=account_no).exists():
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, f"acct_no {account_no}", field="acct_no")
    try:
        with _database_errors_as_refusals(), transaction.atomic():
            limit_lock_wait(LOCK_WAIT_SECONDS)
            yield lock_account(account_no)
    except BillingError as error:
        record_acts(client, caller, [refusal(refused_act, error, account_no=account_no, invoice_no=invoice_no)])
        raise


@contextmanager
def _database_errors_as_refusals() -> Iterator[None]:
    try:
        yield
    except (IntegrityError, DataError, OperationalError) as error:
        if isinstance(error, OperationalError) and not is_lock_failure(error):
            raise
        raise refusal_of(error) from error


def check_will_be_billed(account: Account) -> None:
    """What comes in for an account whose plans are all billed to their ends would wait for ever: no cycle of it is due."""
    if account.last_bill_date is not None and account.next_bill_date is None:
        raise BillingError(ErrorCode.NO_BILLABLE_PLAN, "all plans have ended and are fully billed", field="acct_no")


def billing_changed(account: Account) -> None:
    """What the account is billed for has changed, so that an invoice planned before is not recorded. Under its lock."""
    account.billing_version += 1
    account.save(update_fields=["billing_version"])


def billing_changed_of(account_nos: Collection[int]) -> None:
    """The same for many accounts, under their locks."""
    Account.objects.filter(pk__in=account_nos).update(billing_version=F("billing_version") + 1)
