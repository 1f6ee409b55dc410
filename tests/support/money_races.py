"""Simultaneous acts on money, followed by an audit without findings."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from billing_site.errors import BillingError
from invoices.audit import run_audits


def at_once(*acts):
    """Run acts at the same time, each on its own connection, and return each answer or refusal code."""

    def run(act):
        try:
            return act()
        except BillingError as error:
            return error.code.number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def no_findings():
    assert [finding for report in run_audits() for finding in report.findings] == []
