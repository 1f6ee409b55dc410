"""Billing everyone who is due, as a scheduled act and for `manage.py bill --due`."""

from datetime import date

from accounts.callers import Caller
from accounts.models import Client
from billing_site.errors import Detail
from invoices.kinds import RunState
from invoices.models import BillingRun
from invoices.services.runs.runs import open_run

SCHEDULER = Caller(process="schedule")


def bill_due(client: Client, day: date) -> str:
    """Start a run over all accounts that are due, or continue one that is not finished: the worker bills them in batches.

    Returns why not where a person has paused the run or a limit has stopped it."""
    run, _is_new = open_run(client=client, today=day, caller=SCHEDULER)
    return why_not_running(run)


def why_not_running(run: BillingRun) -> str:
    """Why nobody bills the accounts of a run now, or an empty text."""
    if run.state == RunState.STOPPED:
        why = run.why_stopped
        return Detail("Billing run {run} was stopped: {why} Resume or cancel it.", run=run.pk, why=why)
    if run.state == RunState.PAUSED:
        return Detail("Billing run {run} is paused. Resume or cancel it.", run=run.pk)
    return ""
