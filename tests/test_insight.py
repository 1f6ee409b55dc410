"""Traces and errors are sent to receivers that the environment names, with who called what and without any secret or name."""

import contextvars
import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import brotli
import pytest
from django.contrib.auth import get_user_model
from django.test import Client as Browser

from accounts.keys import create_key
from billing_site import tracing
from billing_site.error_tracking import scrubbed
from tests.support.accounts_api import API, basic, with_key
from tests.support.calling import DAILY
from tests.support.factories import BY_TEST, an_account
from tests.support.privacy import planted_in

PLANTED = "Zephyrine"
UNPACK = {None: bytes, "gzip": gzip.decompress, "br": brotli.decompress}


@contextmanager
def receiver():
    """A server of its own that keeps what it is sent: the path and the body, unpacked."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, UNPACK[self.headers.get("Content-Encoding")](body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def traced(monkeypatch):
    """What a receiver of traces gets of the requests of the test, once its second value is called."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with receiver() as (address, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{address}")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        tracing.tracer_of_process.cache_clear()
        yield received, lambda: tracing.provider_of_process().force_flush()
        tracing.provider_of_process().shutdown()
    tracing.tracer_of_process.cache_clear()
    tracing.provider_of_process.cache_clear()


def spans_in(received):
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    found = []
    for path, body in received:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            found.extend(span for scope in resource.scope_spans for span in scope.spans)
    return found


@pytest.mark.django_db
def test_a_receiver_of_traces_gets_client_act_and_request_id_and_no_name(acme, traced):
    received, flush = traced
    account = an_account(acme, client_acct_id=PLANTED)
    headers = {"X-Request-ID": "request-1"}
    assert with_key(acme).get(f"{API}/accounts/?search={PLANTED}", headers=headers).status_code == 200
    _key, auth_key = create_key(acme, name="caller", caller=BY_TEST, **DAILY)
    for key in (auth_key, PLANTED):
        call = {"rest_call": "get_acct_contacts_m", "acct_no": account.pk, "auth_key": key, "client_no": acme.pk}
        Browser().post("/v1/core", call, content_type="application/json")
    flush()
    rest, call, wrong = spans_in(received)
    found = {one.key: one.value.string_value or one.value.int_value for one in rest.attributes}
    assert found == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "billing.act": "api/v1/accounts/",
        "billing.request_id": "request-1",
        "billing.client_no": acme.pk,
    }
    assert [one.name for one in (rest, call, wrong)] == ["GET api/v1/accounts/", *["POST get_acct_contacts_m"] * 2]
    assert PLANTED.encode() not in b"".join(body for _, body in received)


@pytest.mark.django_db
def test_no_secret_is_in_the_log_nor_in_any_table(acme, caplog):
    """Keys, passwords and tokens are planted at each door, right and wrong ones. The gateway does not know the token."""
    caplog.set_level(logging.DEBUG)
    account = an_account(acme)
    _key, auth_key = create_key(acme, name="integrator", caller=BY_TEST, **DAILY)
    wrong, right = basic(f"{acme.pk}:{PLANTED}"), basic(f"{acme.pk}:{auth_key}")
    browser = Browser(raise_request_exception=False)
    get_user_model().objects.create_user("ana", password=f"{PLANTED}-right", is_staff=True)
    for password in (f"{PLANTED}-wrong", f"{PLANTED}-right"):
        browser.post("/login/", {"username": "ana", "password": password})
    for header in (wrong, right):
        browser.get(f"{API}/accounts/{account.pk}/", headers={"Authorization": header, "Cookie": f"other={PLANTED}"})
        body = {"acct_no": account.pk, "type": "card", "token": f"tok_{PLANTED}", "label": 7, "auth_key": PLANTED}
        browser.post(f"{API}/payment-methods/", body, content_type="application/json", headers={"Authorization": header})
        del body["auth_key"], body["label"]
        browser.post(f"{API}/payment-methods/", body, content_type="application/json", headers={"Authorization": header})
    for key in (PLANTED, auth_key):
        call = {"rest_call": "get_acct_contacts_m", "client_no": acme.pk, "auth_key": key, "acct_no": account.pk}
        browser.post("/v1/core", call)
        browser.post("/v1/core", {**call, "acct_no": "none"}, content_type="application/json")
        browser.post("/v1/core", f'{{"auth_key": "{key}", ', content_type="application/json")
    assert planted_in() == set()
    secret = auth_key[8:]  # What comes before it is stored, to find the key.
    assert planted_in(secret) == set() and len(secret) > 12
    written = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert PLANTED not in written and secret not in written


@pytest.mark.django_db
def test_without_a_receiver_nothing_is_traced(monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing.tracer_of_process.cache_clear()
    assert Browser().get("/livez").status_code == 200
    assert tracing.tracer_of_process() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not tracing.is_traced()


FAILS = f"""
import logging
import sentry_sdk
from billing_site.wsgi import application
from django.test import Client
Client(raise_request_exception=False, headers={{"Host": "localhost"}}).post(
    "/v1/core?secret={PLANTED}",
    {{"rest_call": "get_acct_contacts_m", "acct_no": 1, "client_no": 1, "auth_key": "{PLANTED}"}},
    headers={{"X-Secret": "{PLANTED}", "Cookie": "sessionid={PLANTED}", "X-Request-ID": "request-7"}},
)
try:
    secret = "{PLANTED}"
    raise ValueError(f"{{secret}} is not valid")
except ValueError:
    logging.getLogger("billing_site").exception("the thing of %s failed", secret)
sentry_sdk.flush(10)
"""
"""The database has no tables, so the call fails."""


def test_an_error_is_sent_by_the_sentry_protocol_without_bodies_headers_and_names():
    pytest.importorskip("sentry_sdk")
    with receiver() as (address, received):
        environment = {
            **os.environ,
            "DATABASE_URL": "sqlite://:memory:",
            "SENTRY_DSN": f"http://key@{address}/7",
            "DJANGO_SETTINGS_MODULE": "billing_site.settings",
        }
        root = Path(__file__).parent.parent
        subprocess.run([sys.executable, "-c", FAILS], env=environment, cwd=root, check=True, capture_output=True, timeout=120)
    assert {path for path, _ in received} == {"/api/7/envelope/"}
    text = b"".join(body for _, body in received)
    assert PLANTED.encode() not in text
    events = [json.loads(line) for line in text.splitlines() if b'"exception"' in line]
    named = {one["exception"]["values"][-1]["type"]: one for one in events}
    assert {"OperationalError", "ValueError"} <= set(named)
    assert "request-7" in {one["tags"]["request_id"] for one in events}
    frames = named["ValueError"]["exception"]["values"][-1]["stacktrace"]["frames"]
    assert set(frames[-1]) <= {"filename", "function", "module", "lineno", "in_app"}


WORKS = f"""
import sys
from invoices.services.work import executor, registry
from billing_site.common.work_now import note_work
def do_batch(worker):
    note_work(run=7, client=3)
    secret = "{PLANTED}"
    raise ValueError(f"{{secret}} is not valid")
# What the process does ends after this batch.
executor.kinds_of_work = lambda: (registry.KindOfWork("runs", do_batch),)
executor.REST_SECONDS = 3600
"""

LOCALLY = f"""
import django
django.setup()
{WORKS}
from django.core.management import call_command
call_command("work", once=True)
"""

BY_CELERY = f"""
import django
django.setup()
{WORKS}
from billing_site.celery import app
from invoices import tasks
tasks.kind_named = lambda name: executor.kinds_of_work()[0]
from celery.signals import worker_process_init, worker_process_shutdown
worker_process_init.send(sender=None)
tasks.do_work.apply(("runs", 0.0, True), throw=True)
worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
"""


@pytest.mark.parametrize(("program", "executor"), [(LOCALLY, "local"), (BY_CELERY, "celery")])
def test_an_error_of_a_worker_is_sent_with_its_run_and_client_and_no_values(program, executor, address_of_migrated_file):
    pytest.importorskip("sentry_sdk")
    with receiver() as (address, received):
        environment = {
            **os.environ,
            "DATABASE_URL": address_of_migrated_file,
            "EXECUTOR": executor,
            "BROKER_URL": "memory://",
            "SENTRY_DSN": f"http://key@{address}/7",
            "DJANGO_SETTINGS_MODULE": "billing_site.settings",
        }
        root = Path(__file__).parent.parent
        done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=root, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    text = b"".join(body for _, body in received)
    assert PLANTED.encode() not in text
    (event,) = [json.loads(line) for line in text.splitlines() if b'"exception"' in line]
    assert event["exception"]["values"][-1]["type"] == "ValueError"
    assert event["tags"] == {"request_id": "-", "work": "runs", "run": "7", "client": "3"}


def test_an_event_is_cut_down_to_where_the_error_happened():
    event = {
        "event_id": "1",
        "request": {"data": PLANTED},
        "user": {"id": PLANTED},
        "extra": {"x": PLANTED},
        "message": PLANTED,
    }
    event |= {
        "logentry": {"message": "failed: %s", "params": [PLANTED], "formatted": PLANTED},
        "breadcrumbs": {"values": [PLANTED]},
    }
    outside_of_work_and_requests = contextvars.Context()
    assert outside_of_work_and_requests.run(scrubbed, event, {}) == {
        "event_id": "1",
        "contexts": {},
        "tags": {"request_id": "-"},
        "logentry": {"message": "failed: %s"},
    }
