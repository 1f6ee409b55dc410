"""Acts on money that begin together, and an audit that finds nothing."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from billing_site.errors import BillingError
from invoices.audit import run_audits


def at_once(*acts):
    """What came of acts that begin together, each on a connection of its own: an answer or a refusal's code."""

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
