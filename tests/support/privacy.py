"""A customer whose personal data is planted in many places, and a look for it in every table."""

import json
from datetime import date

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from accounts.models import ApiCall, Contact, Event, Receipt
from accounts.services.changing import change_row
from accounts.services.plans import end_plan_instance
from accounts.trail import Act, record_acts
from invoices.kinds import PaymentType, StatementStatus
from invoices.models import Statement
from invoices.services.money.ledger.payments import record_external_payment
from invoices.services.money.payment_methods import add_payment_method
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, ContactFactory, an_account

PLANTED = "Zephyrine"
"""A word that is in all personal data of the customer, and in nothing else."""
FEB_20 = date(2026, 2, 20)
"""When the customer has left: the plan has ended and is billed, and everything is paid."""


def planted_customer(client, caller):
    """Return an account that has left, with its paid invoice. Its personal data holds the planted word."""
    account = an_account(client, client_acct_id=f"{PLANTED}-1", contact=False)
    contact = ContactFactory(account=account, name=f"{PLANTED} Smith", email="zephyrine@example.com")
    change_row(contact, {"company": f"{PLANTED} Ltd", "address1": f"1 {PLANTED} Street"}, caller=BY_TEST)
    ContactFactory(account=account, contact_no=2, role="other", name=f"{PLANTED} the second").delete()
    change_row(account, {"note": f"{PLANTED} calls often", "tags": PLANTED}, caller=BY_TEST)
    instance = account.plan_instances.get()
    instance.po_num = "PO-77"
    instance.save()
    add_payment_method(client=client, account_no=account.pk, type="mailed_check", label=f"{PLANTED}'s check", caller=caller)
    invoice = bill(account, caller, JAN_10)
    end_plan_instance(instance, date(2026, 2, 9), caller=BY_TEST)
    pay(account, caller, invoice.total_amount)
    _logged(account, invoice)
    account.refresh_from_db()
    invoice.refresh_from_db()
    return account, invoice


def pay(account, caller, amount):
    """Record a cheque whose reference and comments name the customer."""
    payment = {"type": PaymentType.CHECK, "reference": f"{PLANTED} {amount}", "comments": f"by {PLANTED}"}
    record_external_payment(
        client=account.client, account_no=account.pk, amount=amount, caller=caller, today=JAN_10, received_on=JAN_10, **payment
    )


def _logged(account, invoice):
    """Plant the word where programs and staff leave it."""
    now, client = timezone.now(), account.client
    sent = {"email": "zephyrine@example.com", "message": f"{PLANTED} is unknown"}
    Statement.objects.create(
        invoice=invoice,
        status=StatementStatus.FAILED,
        error_code=1016,
        requested_by="test",
        requested_at=now,
        settled_at=now,
        **sent,
    )
    refused = Act(
        "statement.failed", account.pk, invoice.pk, after=sent, error_code=1016, message=f"{PLANTED} is not an address"
    )
    record_acts(client, BY_TEST, [refused])
    ApiCall.objects.create(
        at=now,
        client=client,
        method="x",
        account_no=account.pk,
        message=PLANTED,
        http_status=400,
        milliseconds=1,
        request_id="r",
    )
    contact = Contact.objects.get(account=account)
    LogEntry.objects.create(
        user_id=_somebody(),
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(contact.pk),
        object_repr=str(contact),
        action_flag=CHANGE,
    )
    record_acts(client, BY_TEST, [Act("account.left_out", account.pk)])
    Receipt.objects.create(
        client=client, receipt_id="r-1", method="gen_invoice", arguments_hash="0", token="t-1", succeeded=True, answer=PLANTED
    )
    _event_of_call(account, "t-1")


def _somebody():
    return get_user_model().objects.create(username="clerk").pk


def _event_of_call(account, token):
    Event.objects.create(client=account.client, account=account, at=timezone.now(), act="account.left_out", call_token=token)


def planted_in(word=PLANTED):
    """Return the tables that hold the planted word, with the columns."""
    models = [one for one in apps.get_models(include_auto_created=True) if not one._meta.proxy]
    return {
        f"{model._meta.label_lower}.{column}"
        for model in models
        for row in model._default_manager.values()
        for column, value in row.items()
        if word.lower() in json.dumps(value, default=str).lower()
    }
