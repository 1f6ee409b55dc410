"""manage.py collect CLIENT_NO: resume interrupted collections, then collect every open invoice."""

from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from billing_site.common.currencies import currency_of
from billing_site.common.fields import LARGEST_LONG
from invoices.calculation import rounded
from invoices.services.collecting.collecting import collect_due, collect_invoices, resume_collecting
from invoices.services.documents.collection_results import Collected, CollectionResult
from invoices.services.money.ledger.refunds import unresolved_refunds

CALLER = Caller(process="collect")


def stored_number(text: str) -> int:
    """Return a number within the range of the database."""
    number = int(text)
    if abs(number) > LARGEST_LONG:
        raise ArgumentTypeError(f"{text} does not exist")
    return number


class Command(BaseCommand):
    help = (
        "Collects what is due of a client: first what was interrupted (the gateway is asked what became of it), then every "
        "invoice on which something is due. Exits 1 while an outcome is not known."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_no", type=int)
        parser.add_argument("--resume", action="store_true", help="Only resume interrupted collections.")
        parser.add_argument("--invoice", type=stored_number, nargs="+", metavar="NO", help="Collect only these invoices.")

    def handle(self, *args: Any, client_no: int, resume: bool, invoice: list[int] | None, **options: Any) -> None:
        try:
            client = Client.objects.get(pk=client_no)
        except Client.DoesNotExist:
            raise CommandError(f"Client {client_no} does not exist.") from None
        summary = Summary()
        by: dict[str, Any] = {"client": client, "caller": CALLER, "today": clock.today(client)}
        if invoice:
            summary.add(collect_invoices(invoice_nos=invoice, **by))
        else:
            with tqdm(unit="invoice", desc="Collecting", leave=False, disable=None) as bar:
                summary.add(resume_collecting(**by, progress=lambda some: bar.update(len(some))))
                if not resume:
                    summary.add(collect_due(**by, progress=lambda some: bar.update(len(some))))
        for line in summary.lines():
            self.stdout.write(line)
        if summary.results[CollectionResult.UNKNOWN] or unresolved_refunds(client).exists():
            raise CommandError(
                "The outcome of some collections is unknown. Run the command again: it asks the gateway for the "
                "outcome before it charges again."
            )


class Summary:
    """Counts invoices by result, amounts by currency, and the reasons why the rest was not collected."""

    def __init__(self) -> None:
        self.results: Counter[CollectionResult] = Counter()
        self.amounts: dict[str, Decimal] = defaultdict(Decimal)
        self.reasons: Counter[str] = Counter()

    def add(self, collected: Iterable[Collected]) -> None:
        for one in collected:
            self.results[one.result] += 1
            if one.attempt is not None and one.amount is not None:
                self.amounts[one.attempt.currency] += one.amount
            if one.error is not None:
                self.reasons[f"{one.error_code} {one.message}"] += 1

    def lines(self) -> list[str]:
        lines = [f"{result.value.replace('_', ' '):<17}{self.results[result]:>14,}" for result in CollectionResult]
        lines += [f"  {count:,} x {reason}" for reason, count in sorted(self.reasons.items())]
        lines += [
            f"collected        {rounded(amount, currency_of(currency)):>14,} {currency.upper()}"
            for currency, amount in sorted(self.amounts.items())
        ]
        return lines
