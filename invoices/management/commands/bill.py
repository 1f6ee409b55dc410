"""manage.py bill CLIENT_NO: bill every account of a client that is due, or resume an interrupted run. `bill --due`: of all."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts import clock
from accounts.callers import Caller
from accounts.models import Client
from invoices.kinds import RunResult
from invoices.models import BillingRun
from invoices.services.runs.figures import count_flags, count_refusals, count_results, run_totals
from invoices.services.runs.runs import continue_run, open_run
from invoices.services.runs.scheduled import why_not_running

CALLER = Caller(process="bill")


class Command(BaseCommand):
    help = (
        "Bills every account of a client that is due, or with --due of every client. Resumes the last run if it was "
        "interrupted. Exits with 1 if a run is paused or was stopped by one of its limits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("client_no", type=int, nargs="?")
        chosen.add_argument("--due", action="store_true", help="Bill the due accounts of every client.")

    def handle(self, *args: Any, client_no: int | None, **options: Any) -> None:
        clients = list(Client.objects.order_by("pk") if client_no is None else Client.objects.filter(pk=client_no))
        if client_no is not None and not clients:
            raise CommandError(f"Client {client_no} does not exist.")
        problems = [problem for client in clients if (problem := self._bill(client))]
        if problems:
            raise CommandError(" ".join(problems))

    def _bill(self, client: Client) -> str:
        run, is_new = open_run(client=client, today=clock.today(client), caller=CALLER)
        if is_new:
            self.stdout.write(f"Billing run {run.pk} of {run.bill_date}.")
        else:
            self.stdout.write(f"Resuming billing run {run.pk} of {run.bill_date}, which was interrupted.")
        bill_with_progress(run, CALLER)
        for line in run_summary(run):
            self.stdout.write(line)
        return why_not_running(run)


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
