"""Whatever is altered of a sealed row is found by its seal, and named."""

import json
from datetime import date

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from accounts.callers import Caller
from accounts.keys import create_key
from accounts.models import Client, Event
from billing_site.common.guards import lifted
from invoices.audit import run_audits
from invoices.kinds import SealedRows
from invoices.models import Allocation, Payment, Seal, SealProgress
from invoices.services.sealing.rows import SEALED, hash_of
from invoices.services.sealing.sealing import seal_all
from tests.support.audits import names
from tests.support.audits.money_world import build_money_world
from tests.support.audits.planting import findings, findings_of, plant
from tests.support.billing import bill
from tests.support.factories import BY_TEST, an_account
from tests.support.worlds import world_for_a_while

NOT_SEALED = {Payment: {"is_voided", "payment_method_id"}, Event: {"client_id"}}
"""What may change. The client of an event is that of the seal itself."""


def build_sealed_world():
    numbers = build_money_world()
    hole = Event.objects.create(client_id=numbers.bank, at=timezone.now(), act="account.noted").pk
    with lifted():
        Event.objects.filter(pk=hole).delete()
    third = an_account(Client.objects.get(pk=numbers.bank))
    bill(third, Caller(process="test"), date(2026, 1, 10))
    assert seal_all() == 61
    numbers.hole, numbers.third = hole, third.pk
    assert findings() == {}
    numbers.event = Event.objects.filter(client=numbers.bank, invoice_no=numbers.march).earliest("pk").pk
    numbers.newest_event = Event.objects.filter(client=numbers.bank).latest("pk").pk
    numbers.allocation = Allocation.objects.earliest("pk").pk
    numbers.another = Client.objects.create(name="Another").pk
    return numbers


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker, tmp_path_factory):
    books = override_settings(SANDBOX_GATEWAY_FILE=str(tmp_path_factory.mktemp("books") / "sandbox.sqlite3"))
    with django_db_blocker.unblock(), books, world_for_a_while(build_sealed_world) as numbers:
        yield numbers


def test_every_row_is_counted(world):
    assert {report.name: report.rows for report in run_audits()}[names.SEALS] == 61


@pytest.mark.parametrize("kind", SealedRows)
def test_every_column_is_sealed_by_the_newest_format(kind):
    sealed = SEALED[kind]
    columns = {field.attname for field in sealed.model._meta.concrete_fields}
    assert set(sealed.formats[sealed.newest]) | NOT_SEALED.get(sealed.model, set()) == columns


ROWS = {
    SealedRows.EVENTS: ("event", "event"),
    SealedRows.ENTRIES: ("credit", "transaction"),
    SealedRows.ALLOCATIONS: ("allocation", "allocation"),
    SealedRows.PAYMENTS: ("cheque", "payment"),
}
EACH_COLUMN = [
    (kind, column)
    for kind, sealed in SEALED.items()
    for column in sealed.formats[sealed.newest]
    if column not in ("id", "entry_id")
]
OTHER = {
    "account_id": "{third}",
    "credit_id": "{dispute}",
    "debit_id": "{refund}",
    "voids_id": "{dispute}",
    "invoice_id": "{january}",
    "staff_id": "(SELECT min(id) FROM auth_user)",
    "api_key_id": "(SELECT min(id) FROM accounts_apikey)",
}


@pytest.mark.parametrize(("kind", "column"), EACH_COLUMN)
def test_no_column_of_a_sealed_row_can_change_unseen(world, without_checks, admin_user, kind, column):
    create_key(Client.objects.get(pk=world.bank), name="another", caller=BY_TEST)
    without_checks("invoices_ledgerentry", "entry_raises_or_lowers_the_balance")
    without_checks("invoices_ledgerentry", "only_voids_void")
    without_checks("invoices_allocation", "allocation_takes_or_lets_go")
    row, name = ROWS[kind]
    model = SEALED[kind].model
    field = next(one for one in model._meta.concrete_fields if one.attname == column)
    column_type = field.get_internal_type()
    other = OTHER.get(column) or {
        "DateTimeField": "'2020-01-01 00:00:00'",
        "DateField": "'2020-01-01'",
        "JSONField": "'{{\"a\": 1}}'",
        "DecimalField": "77",
        "IntegerField": "77",
        "BigIntegerField": "77",
        "PositiveIntegerField": "77",
        "PositiveSmallIntegerField": "77",
    }.get(column_type, "'x'")
    key = model._meta.pk.column
    plant(f"UPDATE {model._meta.db_table} SET {field.column} = {other} WHERE {key} = {{{row}}}", world)
    found = findings_of(names.SEALS)
    number = getattr(world, row)
    seal = Seal.objects.get(kind=kind, client=world.bank)
    where = f"client {world.bank}: seal {seal.seal_no}, {seal.rows} {kind} up to {seal.through_no}"
    assert found == [f"{where}: {name} {number} is the first that was altered"]


def test_a_deleted_row_an_added_one_and_one_of_another_client_are_found(world):
    events = list(Event.objects.filter(client=world.bank).order_by("pk").values_list("pk", flat=True))
    seal = Seal.objects.get(kind="events")
    where = f"client {world.bank}: seal {seal.seal_no}, {seal.rows} events up to {seal.through_no}: "
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_event WHERE id = %s", [events[3]])
    assert findings_of(names.SEALS) == [where + f"a row is missing after event {events[2]}"]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_event WHERE id = %s", [events[0]])
    assert findings_of(names.SEALS) == [where + "a row is missing at its beginning"]


def test_a_deleted_last_row_is_found(world):
    plant("DELETE FROM accounts_event WHERE id = {newest_event}", world)
    (finding,) = findings_of(names.SEALS)
    assert "a row is missing after event" in finding


def test_an_event_that_moves_to_another_client_is_found_in_both(world):
    plant("UPDATE accounts_event SET client_id = {another} WHERE id = {event}", world)
    one, other = findings_of(names.SEALS)
    assert f"client {world.bank}: seal" in one
    assert f"client {world.another}: event {world.event} was added after its time" in other


def test_a_row_with_an_old_number_is_found(world):
    number = world.hole
    newest = Event.objects.latest("pk")
    newest.pk = number
    newest.save(force_insert=True)
    (finding,) = findings_of(names.SEALS)
    assert finding.endswith(f"event {number} was added after it was sealed")


def test_a_row_that_was_written_after_the_last_seal_is_not_proven_yet(world):
    newest = Event.objects.latest("pk")
    newest.pk += 1
    newest.save(force_insert=True)
    assert findings_of(names.SEALS) == []


def test_an_altered_seal_is_found_and_so_is_one_that_was_made_again_without_the_key(world, settings):
    kept = Seal.objects.get(kind="entries")
    Seal.objects.filter(pk=kept.pk).update(rows=3)
    assert f"client {world.bank}: seal {kept.seal_no} has a code that its key did not make" in findings_of(names.SEALS)
    Seal.objects.all().delete()
    Event.objects.filter(pk=world.event).update(message="Nothing was done")
    SealProgress.objects.all().delete()
    settings.SECRET_KEY = "a guess"
    seal_all()
    assert findings() == {}, "whoever has the key can seal anew; the heads outside find it"
    settings.SECRET_KEY = "the key of the site"
    found = findings_of(names.SEALS)
    assert len(found) == 4
    assert all("cannot be checked, because its key site-" in finding for finding in found)


def test_a_missing_seal_is_found(world):
    Seal.objects.filter(seal_no=2).delete()
    found = findings_of(names.SEALS)
    assert f"client {world.bank}: the seals from 2 to 2 are missing" in found


def test_equal_values_are_hashed_alike_and_others_are_not():
    assert hash_of([1, json.loads('{"b": 1, "a": [1.5, null]}')]) == hash_of([1, {"a": [1.5, None], "b": 1}])
    assert hash_of(["a", "b"]) != hash_of(["a,b"])
