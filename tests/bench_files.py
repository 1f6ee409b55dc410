"""PDFs of documents against bare WeasyPrint of the same pages and Typst with the same texts, and what a month end would take.

Run alone with `python -m tests.bench_files`, or as a part of `make bench`. One process, so one core.
"""

import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import django
import typst

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
django.setup()

from django.test.utils import override_settings  # noqa: E402

from accounts.models import Account, Client, Service  # noqa: E402
from invoices.models import DocumentFile, Invoice, OneTimeCharge  # noqa: E402
from invoices.services.printing.e_invoices import SHOWN_STYLE, e_invoice_xml  # noqa: E402
from invoices.services.printing.files import make_owed_files  # noqa: E402
from invoices.services.printing.pdf import Look, bare_pdf, page_of  # noqa: E402
from invoices.services.printing.printed import parts_at_issue  # noqa: E402
from tests.bench import START, generate, make_world, scratch_database  # noqa: E402

DOCUMENTS, ROUNDS = 25, 5
MONTH_END, CORES = 100_000, 4
LONG = 2_000


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds of the processor, so that other programs on the machine do not count."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure_files(client: Client, numbers: Sequence[int]) -> None:
    """Print documents per second of both. `numbers` are documents whose PDFs are owed."""
    DocumentFile.objects.filter(invoice__client=client).exclude(invoice__in=numbers).delete()
    with tempfile.TemporaryDirectory() as folder, override_settings(DOCUMENTS_FOLDER=folder):
        make_owed_files(client, limit=1)  # warm
        rounds = [_round(client) for _ in range(ROUNDS)]
    ours, bare, other = (statistics.median(DOCUMENTS / seconds for seconds in times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(floor / mine for mine, floor, _other in rounds)
    hours = MONTH_END / ours / CORES / 3600
    print(f"PDFs, medians of {ROUNDS} rounds of {DOCUMENTS}, one core")
    print(f"  PDFs, stored        {ours:>7.1f} documents/s")
    print(f"  bare WeasyPrint     {bare:>7.1f} documents/s")
    print(f"  Typst, same texts   {other:>7.1f} documents/s")
    print(f"  ratio to bare       {ratio:>7.2f}  (aim: 0.8)")
    print(f"  {MONTH_END:,} on {CORES} cores {hours:>7.2f} hours  (aim: 1)")


def _round(client: Client) -> tuple[float, float, float]:
    """Return the seconds of our PDFs, of WeasyPrint alone, and of Typst."""
    owed = list(DocumentFile.objects.filter(invoice__client=client, state="owed").order_by("pk")[:DOCUMENTS])
    invoices = Invoice.objects.select_related("account", "corrects", "client").in_bulk([one.invoice_id for one in owed])
    pages = [page_of(invoice, parts_at_issue(invoice), Look()) for invoice in invoices.values()]
    assert len(pages) == DOCUMENTS
    mine = timed(lambda: make_owed_files(client, limit=DOCUMENTS))
    bare = timed(lambda: [bare_pdf(page) for page in pages])
    sources = [_in_typst(invoice) for invoice in invoices.values()]
    other = timed(lambda: [typst.compile(source, pdf_standards=["a-3b"]) for source in sources])
    return mine, bare, other


def _in_typst(invoice: Invoice) -> bytes:
    """Return a page of Typst with the parties, lines and sums of a document, without its look."""
    content = parts_at_issue(invoice).content
    lines = [(one.description, one.units or "", one.rate_per_unit or "", one.amount) for one in content.lines]
    texts = [
        "Line",
        "Units",
        "Rate",
        "Amount",
        *(text for line in lines for text in line),
        "Total",
        "",
        "",
        invoice.total_amount,
    ]
    cells = ", ".join(json.dumps(str(text)) for text in texts)
    parties = [", ".join(party.values()) for party in (content.parties.seller, content.parties.bill_to)]
    title = json.dumps(f"Invoice {invoice.document_number}")
    return f"""#set document(title: {title}, date: datetime(year: 2026, month: 1, day: 1))
#heading({title})
#par({json.dumps(parties[0])})
#par({json.dumps(parties[1])})
#table(columns: 4, {cells})""".encode()


def measure_long(client: Client) -> None:
    """Print what one document of 2,000 lines takes: seconds, and the memory that the process has had at most."""
    account = Account.objects.order_by("pk").last()
    assert account is not None
    service = Service.objects.first()
    OneTimeCharge.objects.bulk_create(
        OneTimeCharge(account=account, service=service, description=f"Part {n}", rate_per_unit=1, charge_date=START)
        for n in range(LONG)
    )
    generate(client, [account.pk])
    invoice = Invoice.objects.select_related("account", "corrects", "client").get(account=account)
    assert invoice.lines.count() > LONG
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    xml = timed(lambda: e_invoice_xml(invoice, SHOWN_STYLE, is_official=False))
    after_xml = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pdf = timed(lambda: bare_pdf(page_of(invoice, parts_at_issue(invoice), Look())))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"A document of {LONG:,} lines")
    print(f"  XML                 {xml:>7.1f} s, {(after_xml - before) / 1024:,.0f} MiB more than before")
    print(f"  PDF                 {pdf:>7.1f} s, {(after - after_xml) / 1024:,.0f} MiB more, {after / 1024:,.0f} MiB in all")


def main() -> None:
    with scratch_database():
        client = make_world(DOCUMENTS * ROUNDS + 2)
        client.tax_ids = "US123456789"
        client.save()
        generate(client, list(Account.objects.order_by("pk").values_list("pk", flat=True)[: DOCUMENTS * ROUNDS + 1]))
        measure_files(client, list(Invoice.objects.values_list("pk", flat=True)))
        measure_long(client)


if __name__ == "__main__":
    main()
