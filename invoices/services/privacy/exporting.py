"""Export everything that is stored about a customer: one ZIP with JSON and the files of the documents."""

import json
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from accounts.callers import Caller
from accounts.kinds import AccessKind
from accounts.models import Account, Client
from accounts.rights import PERSONAL_DATA, check_may
from accounts.services.accounts import find_account_no
from accounts.services.personal_access import note_access
from accounts.trail import Act, record_acts
from invoices.kinds import FileState
from invoices.models import DocumentFile, Invoice
from invoices.services.printing.archives import zip_of_files
from invoices.services.printing.files import made_files
from invoices.services.privacy.columns import NEVER_EXPORTED
from invoices.services.privacy.rows import tables_of

EXPORTED = "customer.exported"
DATA = "data.json"
BESIDE = {
    "accounts.billingpause": "account",
    "invoices.taxdetail": "invoice__account",
    "invoices.billedperiod": "invoice__account",
    "invoices.creditdetail": "invoice__account",
    "invoices.couponredemption": "account",
    "invoices.refund": "payment__account",
    "accounts.personaldataaccess": "account",
}
"""Rows that are exported too although they hold no text about the person."""


def export_person(*, client: Client, account_no: int, caller: Caller) -> Iterator[bytes]:
    """Return the parts of a ZIP: data.json with every row about the customer, and the files of their documents.

    Writes an event and the log of accesses before the first part. Refuses (90009) who may not handle personal data, and (1009)
    an account that is not the client's.
    """
    check_may(caller, PERSONAL_DATA)
    number = find_account_no(client, account_no)
    note_access(client, [number], caller, AccessKind.EXPORTED)
    record_acts(client, caller, [Act(EXPORTED, number)])
    return _parts(Account.objects.select_related("client").get(pk=number))


def _parts(account: Account) -> Iterator[bytes]:
    documents = Invoice.objects.filter(account=account)
    owed = DocumentFile.objects.filter(invoice__account=account).exclude(state=FileState.MADE).count()
    texts = {DATA: json.dumps(everything_about(account), cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)}
    yield from zip_of_files(made_files(documents), owed, texts)


def everything_about(account: Account) -> dict[str, Any]:
    """Return every stored row about a customer by table, with all columns except secrets."""
    tables = {name: _exported(name, rows) for name, _, rows in tables_of(account.pk)}
    beside = {label: _exported(label, _beside(label, path, account.pk)) for label, path in BESIDE.items()}
    found = {name: rows for name, rows in {**tables, **beside}.items() if rows}
    return {"client": account.client.name, "client_no": account.client_id, "acct_no": account.pk, "tables": found}


def _beside(label: str, path: str, account_no: int) -> QuerySet[Any]:
    rows: QuerySet[Any] = apps.get_model(label)._default_manager.filter(**{path: account_no})
    return rows.order_by("pk")


def _exported(name: str, rows: QuerySet[Any]) -> list[dict[str, Any]]:
    hidden = NEVER_EXPORTED.get(name.partition(" ")[0], ())
    return [{column: value for column, value in row.items() if column not in hidden} for row in rows.values()]
