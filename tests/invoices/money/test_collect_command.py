"""manage.py collect: resumes what was interrupted, collects what is due, and reports the results."""

from datetime import UTC, datetime
from decimal import Decimal as D
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError

from invoices.gateways.sandbox import APPROVED, OUTCOMES, GatewayTimeout, SandboxGateway
from invoices.models import CollectionAttempt, Payment
from invoices.services.money.ledger.refunds import refund_payment
from tests.support.billing import JAN_10, bill
from tests.support.factories import an_account
from tests.support.paying import WHY, billed, books, due

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
def tenth_of_january():
    with time_machine.travel(datetime(2026, 1, 10, 12, tzinfo=UTC), tick=False):
        yield


def collect(client, *options):
    """What the command prints, by the words at the beginning of its lines, and what it says when it fails."""
    out, said = StringIO(), None
    try:
        call_command("collect", client.pk, *options, stdout=out)
    except CommandError as error:
        said = str(error)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()], said


def test_all_that_is_due_is_collected_and_the_rest_is_explained(acme, umbra, process):
    _, good = billed(acme, process)
    _, declined = billed(acme, process, "sandbox_declined")
    unpaid = bill(an_account(acme), process, JAN_10)
    _, theirs = billed(umbra, process)
    assert collect(acme) == (
        [
            "collected 1",
            "nothing due 0",
            "below threshold 0",
            "declined 1",
            "unknown 0",
            "refused 0",
            "1 x 4011 cc authorization failed: The card was declined",
            "collected 30.00 USD",
        ],
        None,
    )
    assert (due(good), due(declined), due(unpaid), books()) == (0, 30, 30, [30])
    # Repeated on the same day, it asks no gateway again.
    assert collect(acme)[0][:4] == ["collected 0", "nothing due 0", "below threshold 0", "declined 0"]
    assert CollectionAttempt.objects.count() == 2


def test_resuming_asks_about_what_was_interrupted_and_begins_nothing(acme, process, monkeypatch):
    _, silent = billed(acme, process, "sandbox_timeout_before")
    _, waiting = billed(acme, process)
    words, said = collect(acme, "--invoice", str(silent.pk))
    assert (words[4], said.split(".")[0]) == ("unknown 1", "The outcome of some collections is unknown")
    monkeypatch.setitem(OUTCOMES, "timeout_before", APPROVED)
    words, said = collect(acme, "--resume")
    assert (words[0], words[-1], said) == ("collected 1", "collected 30.00 USD", None)
    assert (due(silent), due(waiting), books()) == (0, 30, [30])


def test_a_client_that_does_not_exist_is_refused(db):
    with pytest.raises(CommandError, match="Client 77 does not exist"):
        call_command("collect", 77)


def test_a_refund_that_the_gateway_is_silent_about_fails_the_command_until_it_answers(acme, process, monkeypatch):
    _, invoice = billed(acme, process)
    collect(acme)

    def no_answer(gateway, request):
        raise GatewayTimeout

    with monkeypatch.context() as silent:
        silent.setattr(SandboxGateway, "refund", no_answer)
        refund_payment(
            client=acme, transaction_id=Payment.objects.get().pk, caller=process, today=JAN_10, why=WHY, amount=D(12)
        )
        assert collect(acme, "--resume")[1].startswith("The outcome of some collections is unknown")
    assert (collect(acme, "--resume")[1], books("refunds"), due(invoice)) == (None, [12], 12)
