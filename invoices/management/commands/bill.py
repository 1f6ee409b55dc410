"""manage.py bill CLIENT_NO: bill every account of a client that is due, or resume an interrupted run."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from invoices.kinds import RunResult
from invoices.models import BillingRun
from invoices.services.billing.run_figures import count_flags, count_refusals, count_results, run_totals
from invoices.services.billing.runs import continue_run, open_run


class Command(BaseCommand):
    help = "Bills every account of a client that is due. Resumes the last run if it was interrupted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("client_no", type=int)

    def handle(self, *args: Any, client_no: int, **options: Any) -> None:
        try:
            client = Client.objects.get(pk=client_no)
        except Client.DoesNotExist:
            raise CommandError(f"Client {client_no} does not exist.") from None
        caller = Caller(process="bill")
        run, is_new = open_run(client=client, today=clock.today(client), caller=caller)
        if is_new:
            self.stdout.write(f"Billing run {run.pk} of {run.bill_date}.")
        else:
            self.stdout.write(f"Resuming billing run {run.pk} of {run.bill_date}, which was interrupted.")
        bill_with_progress(run, caller)
        for line in run_summary(run):
            self.stdout.write(line)


def bill_with_progress(run: BillingRun, caller: Caller) -> None:
    """Bill the pending accounts of a run, with a progress bar on standard error."""
    waiting = count_results(run).get(RunResult.WAITING, 0)
    with tqdm(total=waiting, unit="account", desc="Billing", leave=False) as bar:
        continue_run(run, caller=caller, progress=bar.update)


def run_summary(run: BillingRun) -> list[str]:
    """Return lines about the run's results, counted from its outcomes."""
    results = count_results(run)
    lines = [
        f"accounts         {sum(results.values()):>14,}",
        f"invoices         {results.get(RunResult.INVOICED, 0):>14,}",
        f"nothing to bill  {results.get(RunResult.NOTHING_TO_BILL, 0):>14,}",
        f"refused          {results.get(RunResult.REFUSED, 0):>14,}",
    ]
    lines += [f"  {one.accounts:,} x {one.error_code} {one.message}" for one in count_refusals(run)]
    lines += [f"{flag.label:<17}{count:>14,}" for flag, count in count_flags(run).items() if count]
    for totals in run_totals(run):
        lines += [
            f"total before tax {totals.net_amount:>14,} {totals.currency.upper()}",
            f"tax              {totals.tax_amount:>14,} {totals.currency.upper()}",
            f"total            {totals.total_amount:>14,} {totals.currency.upper()}",
        ]
    return lines
