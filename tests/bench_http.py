"""The part of the bench that is about HTTP: calls by several clients at once to a server of several processes, on PostgreSQL.

The floor of a call that writes is a view that writes the same rows of documents, ledger and trail with no logic; the floor of
one that reads, a view of DRF's own that reads the same rows, or the bare values of them. Both are in the server's processes
(bench_server). Nothing is logged there, and nobody signs in.

Pages of 50 are measured at 1,000 invoices and at 20,000, or at as many as BENCH_INVOICES says (1000000).
"""

import base64
import json
import os
import pickle
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import django
from django.db import connection
from django.db.models import QuerySet

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from accounts.keys import create_key  # noqa: E402
from accounts.models import Account, Client, Event  # noqa: E402
from invoices.models import Invoice, InvoiceLine, LedgerEntry, TaxDetail  # noqa: E402
from invoices.plan.facts import BillingRequest  # noqa: E402
from invoices.services.billing.generating import generate_invoices  # noqa: E402
from tests.bench import CALLER, LINES, TODAY, WRITTEN, analyze, generate, make_world, scratch_database, written_for  # noqa: E402
from tests.bench_rebills import written_for as written_for_rebills  # noqa: E402
from tests.support.bare_rows import take_out, timed  # noqa: E402

WORKERS, CLIENTS = 2, 4
ROUNDS, CALLS, WARM = 3, 60, 12
FEW, MANY = 1_000, int(os.environ.get("BENCH_INVOICES", "20000"))
WAITING = 100


class Call(NamedTuple):
    path: str
    body: Any = None


class Figures(NamedTuple):
    rate: float
    seconds: Sequence[float]
    answers: Sequence[Any]


class Site:
    """The server as its clients see it."""

    def __init__(self, port: int, client: Client) -> None:
        key = create_key(client, name="bench", may_rebill=True, caller=CALLER)[1]
        self.port, self.credentials = port, {"client_no": client.pk, "auth_key": key}
        basic = base64.b64encode(f"{client.pk}:{key}".encode()).decode()
        self.headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}

    def method_call(self, name: str, **arguments: Any) -> Call:
        return Call("/v1/core", {"rest_call": name, "output_format": "json", **self.credentials, **arguments})

    def answer(self, call: Call) -> tuple[float, Any]:
        begin = time.perf_counter()
        server = HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = None if call.body is None else json.dumps(call.body)
        server.request("GET" if body is None else "POST", call.path, body, self.headers)
        response = server.getresponse()
        text = response.read()
        seconds = time.perf_counter() - begin
        server.close()
        answer = json.loads(text)
        assert response.status == 200 and (body is None or answer["error_code"] == 0), text
        return seconds, answer

    def measured(self, calls: Sequence[Call]) -> Figures:
        """The first calls only warm the server up. The answers are those of all."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            warm = list(clients.map(self.answer, calls[:WARM]))
            done: list[tuple[float, Any]] = []
            seconds = timed(lambda: done.extend(clients.map(self.answer, calls[WARM:])))
        return Figures(len(done) / seconds, [one for one, _ in done], [answer for _, answer in warm + done])


@contextmanager
def served(folder: str) -> Iterator[int]:
    """Return the port of a server on this process's database. Its socket is open first, so clients block until it is ready."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        port, number = listening.getsockname()[1], listening.fileno()
        command = [sys.executable, "-m", "gunicorn", f"--workers={WORKERS}", f"--bind=fd://{number}", "--no-control-socket"]
        server = subprocess.Popen(
            [*command, "--log-level=warning", "tests.bench_server:application"],
            env={**os.environ, "BENCH_DATABASE": connection.settings_dict["NAME"], "BENCH_ROWS": folder},
            pass_fds=[number],
        )
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def measure_http() -> None:
    client = make_world(FEW)
    with tempfile.TemporaryDirectory() as folder, served(folder) as port:
        site = Site(port, client)
        print(
            f"{connection.vendor} over HTTP: {WORKERS} processes, {CLIENTS} clients, {ROUNDS} rounds of {CALLS} calls",
            flush=True,
        )
        print(f"  {'':<34}requests/s   p50   p95   p99 ms", flush=True)
        make_invoices(client, site, Path(folder))
        measure_reading(site)
        few = measure_pages(site)
        measure_rebilling(site, Path(folder))
        grow()
        many = measure_pages(site)
    print(f"  pages of 50 of {FEW:,} invoices and of {MANY:,}, medians (aim: 1.5 times at most)")
    for name in few:
        print(f"  {name:<34}{few[name] * 1000:>10.1f} ms {many[name] * 1000:>6.1f} ms, ratio {many[name] / few[name]:.2f}")


def make_invoices(client: Client, site: Site, folder: Path) -> None:
    """At the end there are as many as in the smaller lists, some of them pending."""
    numbers = Account.objects.order_by("pk").values_list("pk", flat=True)
    calls = iter([site.method_call("gen_invoice", acct_no=number) for number in numbers[: ROUNDS * (CALLS + WARM)]])
    unnumbered = (*WRITTEN, Event)
    measure_writing(site, folder, "gen_invoice", calls, lambda answer: written_for([answer["invoice_no"]]), unnumbered)
    rest = list(numbers[ROUNDS * (CALLS + WARM) : FEW])
    generate(client, rest[WAITING:])
    request = BillingRequest(TODAY, force_pending=True)
    generate_invoices(client=client, account_nos=rest[:WAITING], request=request, caller=CALLER)
    analyze()


def measure_rebilling(site: Site, folder: Path) -> None:
    issued = Invoice.objects.filter(status="approved").order_by("pk")[: ROUNDS * (CALLS + WARM)]
    services = InvoiceLine.objects.filter(invoice=issued[0], line_no__lte=LINES).values_list("line_no", "service_id")
    lines = [{"line_no": line_no, "service_no": service_no} for line_no, service_no in services]
    lines[0]["rb_rate_per_unit"] = 8.99
    calls = [
        site.method_call(
            "gen_rb_m", acct_no=one.account_id, orig_invoice_no=one.pk, reason_cd=1, do_collect="false", rb_line_items=lines
        )
        for one in issued
    ]
    measure_writing(site, folder, "gen_rb_m", iter(calls), written_for_rebill, (InvoiceLine, TaxDetail))


def written_for_rebill(answer: Any) -> list[QuerySet]:
    return written_for_rebills([Invoice.objects.values_list("corrects_id", flat=True).get(pk=answer["invoice_no"])])


def measure_writing(
    site: Site,
    folder: Path,
    name: str,
    calls: Iterator[Call],
    written: Callable[[Any], list[QuerySet]],
    unnumbered: Sequence[type],
) -> None:
    ours, floors = [], []
    for place in range(ROUNDS):
        ours.append(site.measured(list(islice(calls, CALLS + WARM))))
        rows = [take_out(written(answer), unnumbered) for answer in ours[-1].answers]
        analyze()
        (folder / f"{name}-{place}").write_bytes(pickle.dumps(rows))
        floors.append(site.measured([Call("/floor/rows/", {"name": f"{name}-{place}", "place": n}) for n in range(len(rows))]))
    tell(name, ours)
    tell("  floor, bare rows", floors, ours)


def measure_reading(site: Site) -> None:
    numbers = list(Invoice.objects.order_by("pk").values_list("pk", flat=True)[: CALLS + WARM])
    compare_reading(site, "one invoice with lines and actions", "/api/v1/invoices/{}/", "{}/", numbers)
    shown = "invoice_no,acct_no,status,total_amount,amount_due,lines,tax_details"
    compare_reading(site, "one invoice, some fields and lines", f"/api/v1/invoices/{{}}/?fields={shown}", "{}/", numbers)
    compare_reading(site, "a page of 50", "/api/v1/invoices/", "", numbers)


def compare_reading(site: Site, name: str, path: str, floor: str, numbers: Sequence[int]) -> None:
    paths = {
        name: path,
        "  floor, DRF's serializers": f"/floor/invoices/{floor}",
        "  floor, bare values": f"/floor/values/{floor}",
    }
    rounds = [
        {one: site.measured([Call(path.format(number)) for number in numbers]) for one, path in paths.items()}
        for _ in range(ROUNDS)
    ]
    ours = [figures[name] for figures in rounds]
    for one in paths:
        tell(one, [figures[one] for figures in rounds], None if one == name else ours)


def tell(name: str, rounds: Sequence[Figures], ours: Sequence[Figures] | None = None) -> None:
    """Of a floor also how we compare to it."""
    seconds = [one for figures in rounds for one in figures.seconds]
    cuts = statistics.quantiles(seconds, n=100)
    times = " ".join(f"{cuts[percent - 1] * 1000:>5.1f}" for percent in (50, 95, 99))
    ratios = [one.rate / floor.rate for one, floor in zip(ours or [], rounds, strict=False)]
    ratio = f", ratio {statistics.median(ratios):.2f} (aim: 0.60)" if ratios else ""
    print(f"  {name:<34}{statistics.median(one.rate for one in rounds):>10,.0f} {times}{ratio}", flush=True)


def measure_pages(site: Site) -> dict[str, float]:
    dates = Invoice.objects.order_by("bill_date", "pk")
    rows = dates.count()
    middle, by_date = Invoice.objects.order_by("pk")[rows // 2], dates[rows // 2]
    pages = {
        "first": "",
        "in the middle": f"?cursor={cursor(middle.pk, middle.pk)}",
        "those that wait": "?status=pending",
        "those that are approved": "?status=approved",
        "the newest bill dates": "?ordering=-bill_date",
        "bill dates, in the middle": f"?ordering=bill_date&cursor={cursor(by_date.bill_date, by_date.pk)}",
    }
    medians = {}
    for name, query in pages.items():
        figures = site.measured([Call(f"/api/v1/invoices/{query}")] * (CALLS + WARM))
        assert all(len(answer["results"]) == 50 for answer in figures.answers), name
        medians[name] = statistics.median(figures.seconds)
    return medians


def cursor(value: Any, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([False, str(value), number]).encode()).decode().rstrip("=")


def grow() -> None:
    """Copies of the approved invoices on later days, with their entries in the ledger."""
    copied = Invoice.objects.filter(status="approved", kind="recurring").order_by("pk")
    invoices = list(copied.values_list("pk", flat=True))
    days = (MANY - Invoice.objects.count()) // len(invoices) + 1
    copy_rows(
        Invoice,
        f"FROM {Invoice._meta.db_table} old, generate_series(1, {days}) day WHERE old.id = ANY(%s) ORDER BY day, old.id",
        {
            "bill_date": "old.bill_date + day",
            "due_date": "old.due_date + day",
            "number": "old.number + day * 1000000::bigint",
            "document_number": "'G-' || day || '-' || old.number",
        },
        invoices,
    )
    copy_rows(
        LedgerEntry,
        f"FROM {LedgerEntry._meta.db_table} old JOIN {Invoice._meta.db_table} new USING (account_id)"
        " WHERE old.invoice_id = ANY(%s) AND old.kind = 'invoice' AND new.number > 1000000",
        {"invoice_id": "new.id", "entry_no": "old.entry_no + new.number / 1000000 + 10"},
        invoices,
    )
    analyze()


def copy_rows(model: type, source: str, changed: dict[str, str], invoices: Sequence[int]) -> None:
    columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    values = ", ".join(changed.get(column, f"old.{column}") for column in columns)
    with connection.cursor() as asked:
        asked.execute(f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {values} {source}", [invoices])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is stopped then too
    with scratch_database():
        measure_http()
