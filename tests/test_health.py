"""Whether the installation says that it is well, and that it is not: to a load balancer, to a monitoring system, to people."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Event
from billing_site.common.guards import lifted
from billing_site.health import readyz
from invoices.audit.kept import audit_and_keep
from invoices.audit.seal_states import seal_states
from invoices.kinds import SealedRows
from invoices.models import AuditRun, Invoice, LedgerEntry, Schedule, Worker
from invoices.services.lists.health import measures
from invoices.services.sealing.heads import store_head
from invoices.services.sealing.sealing import seal_all
from tests.support.billing import bill
from tests.support.factories import ClientFactory, an_account

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-the-monitoring-system"


def by_name():
    return {one.name: one for one in measures()}


def metrics(token=TOKEN):
    return Browser().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def test_alive_and_ready():
    assert [Browser().get(address).content for address in ("/livez", "/healthz", "/readyz")] == [b"ok", b"ok", b"ok"]


def test_a_database_without_the_last_migration_is_not_ready(rf):
    last = dict(MigrationLoader(None).graph.leaf_nodes())["rebills"]
    MigrationRecorder.Migration.objects.filter(app="rebills", name=last).delete()
    answer = readyz(rf.get("/readyz"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert f"rebills.{last}" in answer.text


def test_a_database_that_is_a_release_ahead_is_ready(rf):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('rebills', '9999_next', %s)", [timezone.now()]
        )
    assert readyz(rf.get("/readyz")).status_code == 200


@pytest.mark.parametrize("token", ["", "a-token", TOKEN + "x"])
def test_metrics_need_the_token(settings, token):
    settings.METRICS_TOKEN = TOKEN
    assert metrics(token).status_code == 404


def test_without_a_token_there_are_no_metrics(settings):
    settings.METRICS_TOKEN = ""
    assert metrics("").status_code == 404


def test_metrics_have_the_measures(settings, acme):
    settings.METRICS_TOKEN = TOKEN
    Worker.objects.create(host="one", pid=1, name="work", started_at=timezone.now(), seen_at=timezone.now())
    answer = metrics()
    assert answer["Content-Type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert "billing_workers 1.0" in lines
    assert "billing_guards_broken 0.0" in lines
    assert {f"billing_{name}" for name in by_name()} <= {line.split()[0] for line in lines if not line.startswith("#")}


def test_what_waits_too_long_is_bad(acme, process):
    invoice = bill(an_account(acme), process, timezone.now().date())
    assert (by_name()["files_waiting"].value, by_name()["files_oldest_seconds"].is_bad) == (1, False)
    with lifted():
        Invoice.objects.filter(pk=invoice.pk).update(approved_at=timezone.now() - timedelta(minutes=16))
    found = by_name()["files_oldest_seconds"]
    assert found.is_bad
    assert 960 <= found.value < 1020


def test_late_tasks_missing_workers_and_findings_are_bad(acme):
    day = timezone.now() - timedelta(days=2)
    Schedule.objects.create(client=acme, act="bill", hour=6, next_day=day.date(), next_at=day)
    AuditRun.objects.create(asked_by="test", started_at=day, finished_at=day, rows=10, findings_count=3)
    found = by_name()
    assert [(found[name].value, found[name].is_bad) for name in ("workers", "schedules_late", "audit_findings")] == [
        (0, True),
        (1, True),
        (3, True),
    ]


def test_measures_cost_the_same_for_many_documents(acme, process):
    bill(an_account(acme), process, timezone.now().date())
    with CaptureQueriesContext(connection) as one:
        measures()
    for _ in range(3):
        bill(an_account(acme), process, timezone.now().date())
    with CaptureQueriesContext(connection) as four:
        measures()
    assert len(four) == len(one)


def test_the_page_is_for_superusers(acme, admin_client):
    page = admin_client.get("/health/")
    assert page.status_code == 200
    assert "No worker is running." in page.text
    member = User.objects.create_user("member")
    acme.staff.add(member)
    browser = Browser()
    browser.force_login(member)
    assert browser.get("/health/").status_code == 403


def test_the_page_shows_seals_where_they_are_stored_and_what_the_last_audit_found(
    acme, process, admin_client, settings, tmp_path
):
    settings.SEALS_FOLDER = str(tmp_path)
    settings.STORAGES = {
        **settings.STORAGES,
        "seals": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    assert "Nothing is sealed yet." in admin_client.get("/health/").text
    bill(an_account(acme), process, timezone.now().date())
    seal_all()
    other = ClientFactory(name="Other")
    bill(an_account(other), process, timezone.now().date())
    seal_all()
    before = admin_client.get("/health/").text
    assert "Not compared yet" in before and "Not stored yet" in before
    store_head(acme)
    audit_and_keep(None, "process:test")
    with lifted():
        Event.objects.filter(client=other).update(message="altered")
    audit_and_keep(other, "process:test")
    assert [(one.client, one.seal_no, one.head_no, one.findings) for one in seal_states()] == [
        (acme, 2, 2, 0),
        (other, 2, None, 1),
    ]
    newest = {SealedRows.EVENTS: Event.objects.filter(client=acme), SealedRows.ENTRIES: LedgerEntry.objects.all()}
    assert dict(seal_states()[0].ranges) == {
        kind: rows.filter(account__client=acme).latest("pk").pk for kind, rows in newest.items()
    }
    page = admin_client.get("/health/").text
    assert str(tmp_path) in page and "1 finding" in page and "Right" in page


def test_seals_cost_the_same_for_many_clients(acme, process):
    bill(an_account(acme), process, timezone.now().date())
    seal_all()
    with CaptureQueriesContext(connection) as one:
        seal_states()
    for _ in range(2):
        bill(an_account(ClientFactory()), process, timezone.now().date())
    seal_all()
    with CaptureQueriesContext(connection) as three:
        assert len(seal_states()) == 3
    assert len(three) == len(one)


def test_a_line_of_the_log_may_be_json():
    code = "import django, logging; django.setup(); logging.getLogger('invoices.test').error('gateway %s is silent', 'sandbox')"
    environment = {**os.environ, "LOG_FORMAT": "json", "DJANGO_SETTINGS_MODULE": "billing_site.settings"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stderr
    line = json.loads(said.splitlines()[-1])
    assert (line["message"], line["level"], line["logger"]) == ("gateway sandbox is silent", "ERROR", "invoices.test")
    assert line["request_id"] == "-"
