"""The database is read-only, unreachable for a moment, or restarted: what is answered, and that everything works afterwards.

Nothing is imitated: the database itself refuses to write, and connections go to an address where none answers.
"""

import base64
import io
import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import date

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import Error, IntegrityError, OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created
from django.test import Client as Browser

from accounts.keys import create_key
from accounts.models import ApiKey
from accounts.rights import KEY_RIGHTS
from billing_site.command import trouble_of
from billing_site.common.statement_limits import limit_statements
from invoices.models import DocumentFile, Invoice
from tests.support.bare_pages import NOT_FOUND, READING, addresses, bare_world, is_answered, on_the_tenth_of_january
from tests.support.billing import bill
from tests.support.factories import BY_TEST, ClientFactory, an_account

__all__ = ["bare_world", "on_the_tenth_of_january"]

pytestmark = pytest.mark.django_db(transaction=True)

READ_ONLY, AWAY, TOO_SLOW = 90092, 90093, 90326
POSTGRESQL = connection.vendor == "postgresql"


@contextmanager
def read_only():
    """Within it the database can be read, and refuses to be written."""
    on, off = (
        ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
        if POSTGRESQL
        else ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
    )
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(off)


@contextmanager
def away():
    """Within it new connections find no database: no server answers at the port, or the file's folder is gone."""
    told = connections.databases["default"]
    kept = {name: told[name] for name in ("NAME", "PORT")}
    told.update({"PORT": "1"} if POSTGRESQL else {"NAME": "/nowhere/at/all.sqlite3"})
    try:
        yield
    finally:
        told.update(kept)


def elsewhere(work):
    """What `work()` gives in a thread of its own, which has no connection yet."""
    results = []

    def run():
        try:
            results.append(work())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=60)
    (result,) = results
    return result


class Program:
    """A program of the client that calls the API with a key."""

    def __init__(self, client):
        self.client_no = client.pk
        self.auth_key = create_key(client, name="integrator", **dict.fromkeys(KEY_RIGHTS, True), caller=BY_TEST)[1]
        pair = base64.b64encode(f"{client.pk}:{self.auth_key}".encode()).decode()
        self.headers = {"Authorization": f"Basic {pair}"}

    def get(self, path):
        return Browser(raise_request_exception=False).get(f"/api/v1/{path}", headers=self.headers)

    def post(self, path, **body):
        browser = Browser(raise_request_exception=False)
        return browser.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=self.headers)

    def method(self, rest_call, **members):
        pair = {"client_no": self.client_no, "auth_key": self.auth_key}
        body = {**pair, "rest_call": rest_call, "output_format": "json", **members}
        response = Browser(raise_request_exception=False).post("/v1/core", json.dumps(body), content_type="application/json")
        assert response.status_code == 200
        return response.json()


def test_a_database_that_can_only_be_read_is_read_and_says_that_it_takes_nothing(acme):
    account, program = an_account(acme, start=date(2026, 1, 10)), Program(acme)
    with read_only():
        # The key was never used, so its use would have been noted.
        assert program.get(f"accounts/{account.pk}/").status_code == 200
        assert program.get("invoices/").status_code == 200
        assert program.post("invoices/preview/", acct_no=account.pk).json()["total_amount"] == "30.00"
        assert program.method("get_acct_invoice_history", acct_no=account.pk)["error_code"] == 0
        written = program.post("invoices/", acct_no=account.pk)
        assert (written.status_code, written["Retry-After"], written.json()["error_code"]) == (503, "5", READ_ONLY)
        assert program.method("gen_invoice", acct_no=account.pk)["error_code"] == READ_ONLY
        assert Browser().get("/readyz").status_code == 200
    assert (ApiKey.objects.get().last_used_at, Invoice.objects.count()) == (None, 0)
    assert program.post("invoices/", acct_no=account.pk).status_code == 201
    assert ApiKey.objects.get().last_used_at is not None


PREVIEWS_BY_DOING = re.compile(r"/accounts/[0-9]+/plans/[0-9]+/(change|end)/|/catalogue/[a-z]+/[0-9]+/remove/")
"""These pages do the act and roll it back to show the next invoice: while nothing can be written they say so (503)."""


WRITE_WHEN_READ = re.compile(r"/api/v1/personal-data/[0-9]+/export/")
"""An export of personal data is recorded, so while nothing can be written it says so."""


def test_every_page_is_shown_while_the_database_can_only_be_read(bare_world, admin_client):  # noqa: F811
    """A page of the admin is shown for one of its rows: whether it writes does not depend on the row."""
    admin_client.raise_request_exception = False
    DocumentFile.objects.filter(invoice__approved_at=None).delete()  # What was not issued has no PDF.
    call_command("make_files")
    walked = list(addresses())
    failed, shown = {}, set()
    with read_only():
        for pattern, address in walked:
            if pattern in shown and pattern.startswith("admin/"):
                continue
            response = admin_client.get(address)
            if is_answered(address, response.status_code):
                shown.add(pattern)
                b"".join(response.streaming_content if response.streaming else ())
            elif PREVIEWS_BY_DOING.fullmatch(address) or WRITE_WHEN_READ.fullmatch(address):
                assert response.status_code in (503, NOT_FOUND), address
                shown.add(pattern)
            elif address == "/you/app/":
                assert response.status_code == 400, "the session cannot keep the secret of a new app"
                shown.add(pattern)
            elif response.status_code != NOT_FOUND:
                failed[address] = response.status_code
    assert failed == {}


def test_a_pdf_that_is_not_made_yet_is_made_when_the_database_can_be_written(acme, process, admin_client):
    address = f"/invoices/{bill(an_account(acme), process, date(2026, 1, 10)).pk}/pdf/"
    admin_client.raise_request_exception = False
    with read_only():
        page = admin_client.get(address)
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert admin_client.get(address)["Content-Type"] == "application/pdf"


def test_every_method_that_reads_answers_while_the_database_can_only_be_read(acme):
    account, program = an_account(acme, start=date(2026, 1, 10)), Program(acme)
    invoice_no = program.post("invoices/", acct_no=account.pk).json()["invoice_no"]
    known = {"acct_no": account.pk, "account_no": account.pk, "invoice_no": invoice_no}
    for name in READING:
        before = program.method(name, **known)["error_code"]
        with read_only():
            assert program.method(name, **known)["error_code"] in (before, READ_ONLY if before else 0), name


def test_a_form_that_cannot_be_saved_says_so(acme, admin_client):
    account = an_account(acme, start=date(2026, 1, 10))
    admin_client.raise_request_exception = False
    with read_only():
        page = admin_client.post(f"/admin/accounts/account/{account.pk}/change/", {})
        assert page.status_code in (200, 503)
        signed_out = admin_client.post("/logout/")
    assert (signed_out.status_code, signed_out["Retry-After"]) == (503, "5")
    assert "can be read but not written" in signed_out.content.decode()
    assert admin_client.get("/").status_code == 200


def test_a_database_that_is_away_is_said_to_be_at_every_door(acme, admin_client):
    account, program = an_account(acme, start=date(2026, 1, 10)), Program(acme)
    admin_client.raise_request_exception = False
    with away():
        for answer in (
            elsewhere(lambda: program.get(f"accounts/{account.pk}/")),
            elsewhere(lambda: program.post("invoices/", acct_no=account.pk)),
        ):
            assert (answer.status_code, answer["Retry-After"], answer.json()["error_code"]) == (503, "5", AWAY)
        assert elsewhere(lambda: program.method("gen_invoice", acct_no=account.pk))["error_code"] == AWAY
        for page in ("/", "/invoices/", "/admin/", "/readyz"):
            answer = elsewhere(lambda address=page: admin_client.get(address))
            assert (answer.status_code, answer["Retry-After"]) == (503, "5"), page
            assert "cannot be reached" in answer.content.decode()
        assert elsewhere(lambda: Browser().get("/healthz")).status_code == 200
    assert elsewhere(lambda: Browser().get("/readyz")).status_code == 200
    assert elsewhere(lambda: admin_client.get("/")).status_code == 200
    assert elsewhere(lambda: program.post("invoices/", acct_no=account.pk)).json()["total_amount"] == "30.00"


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no server that ends connections")
def test_no_request_fails_because_a_kept_connection_is_dead(acme):
    account, program = an_account(acme, start=date(2026, 1, 10)), Program(acme)
    ended = []

    def two_requests():
        site = get_wsgi_application()
        first = status_of(site, f"/api/v1/accounts/{account.pk}/", program)
        ended.append(connection.connection.info.backend_pid)
        thread = threading.Thread(target=end_connection, args=ended)
        thread.start()
        thread.join()
        second = status_of(site, f"/api/v1/accounts/{account.pk}/", program)
        return first, second, connection.connection.info.backend_pid != ended[0]

    assert elsewhere(two_requests) == ("200 OK", "200 OK", True)


def end_connection(pid):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()


def status_of(site, path, program):
    """The status of a request that the server's own handler answers, with all that it does between requests."""
    told = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_AUTHORIZATION": program.headers["Authorization"],
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    answer = site(environ, lambda status, headers: told.append(status))
    answer.close()
    return told[0]


@pytest.fixture
def slow_table():
    """The table of accounts, locked by another connection, so that each statement on it waits; and a limit of 0.3 seconds."""
    locked, done = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE accounts_account IN ACCESS EXCLUSIVE MODE")
            locked.set()
            done.wait(60)
        connections.close_all()

    thread = threading.Thread(target=lock)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '300ms'")
    thread.start()
    locked.wait(60)
    yield
    done.set()
    thread.join()
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no limit of statements")
def test_a_statement_that_takes_too_long_is_refused_by_name_at_every_door(acme, admin_client, request):
    program = Program(acme)
    admin_client.raise_request_exception = False
    request.getfixturevalue("slow_table")
    answer = program.get("accounts/")
    assert (answer.status_code, answer.json()["error_code"], answer.headers.get("Retry-After")) == (422, TOO_SLOW, None)
    assert program.method("get_acct_contacts_m", acct_no=1)["error_code"] == TOO_SLOW
    page = admin_client.get("/accounts/")
    assert (page.status_code, "Ask for less" in page.content.decode()) == (422, True)


@pytest.mark.skipif(not POSTGRESQL, reason="SQLite has no limit of statements")
def test_connections_of_the_web_application_have_the_limit_and_those_of_commands_have_none(settings):
    def limit():
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone()[0]

    assert elsewhere(limit) == "0"
    settings.STATEMENT_TIMEOUT = 7
    try:
        limit_statements()
        assert elsewhere(limit) == "7s"
    finally:
        connection_created.disconnect(dispatch_uid="statement timeout")
    assert elsewhere(limit) == "0"


# Commands.


def commanded(*arguments, url):
    """Run a command in a process of its own, on a database at this address."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True
    )


def test_a_command_before_the_migrations_says_to_run_them_in_one_line(tmp_path):
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    told = commanded("create_client", "Acme", url=url)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("The database does not have the tables of this release. Run migrate")
    assert len(told.stderr.splitlines()) == 1
    assert "Traceback" in commanded("create_client", "Acme", "--traceback", url=url).stderr


def what_connecting_raises():
    with pytest.raises(Error) as raised:
        connection.ensure_connection()
    return raised.value


def test_a_command_says_that_the_database_is_locked_read_only_or_away():
    assert trouble_of(OperationalError("database is locked")).startswith("Another process is writing to the database")
    with read_only(), pytest.raises(Error) as refused:
        ClientFactory()
    assert trouble_of(refused.value).startswith("The database can be read but not written.")
    with away():
        unreachable = elsewhere(what_connecting_raises)
    assert trouble_of(unreachable).startswith("The database cannot be reached.")
    assert trouble_of(IntegrityError("UNIQUE constraint failed")) is None
