"""Do one act on what an account is billed for: lock the account, write in a short transaction, record refusals."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F

from accounts.callers import Caller
from accounts.models import Account, Client
from accounts.services.accounts import lock_account
from accounts.trail import record_acts, refusal
from billing_site.common.database_errors import refusal_of
from billing_site.common.storage import is_lock_failure, limit_lock_wait
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.services.documents.batches import LOCK_WAIT_SECONDS


@contextmanager
def account_act(
    client: Client, account_no: int, caller: Caller, refused_act: str, *, invoice_no: int | None = None
) -> Iterator[Account]:
    """Lock the client's account and yield it. An act that is refused inside writes nothing but its event, which names
    `invoice_no`.

    Refuses an unknown account (1009), and one that another call locks for more than 5 seconds (3108). A database error becomes
    the refusal that `refusal_of` gives. Call `billing_changed` inside, if invoices that were planned before must not be
    recorded.
    """
    if not Account.objects.filter(client=client, pk=account_no).exists():
        raise BillingError(ErrorCode.ACCOUNT_NOT_FOUND, Detail("acct_no {account_no}", account_no=account_no), field="acct_no")
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
    """Refuse (7003) an account whose plans are all billed to their ends: what is added to it would never be billed."""
    if account.last_bill_date is not None and account.next_bill_date is None:
        raise BillingError(ErrorCode.NO_BILLABLE_PLAN, Detail("all plans have ended and are fully billed"), field="acct_no")


def billing_changed(account: Account) -> None:
    """Count a change of what the account is billed for, so that invoices planned before are not recorded. Under its lock."""
    account.billing_version += 1
    account.save(update_fields=["billing_version"])


def billing_changed_of(account_nos: Collection[int]) -> None:
    """Count a change for many accounts, as `billing_changed` does. Under their locks."""
    Account.objects.filter(pk__in=account_nos).update(billing_version=F("billing_version") + 1)
