"""Dates of the published example of a plan change."""

from datetime import date

from invoices.audit import run_audits

APR_15, APR_26, APR_27 = date(2031, 4, 15), date(2031, 4, 26), date(2031, 4, 27)


MAY_14, MAY_15, JUN_14, JUN_15, JUL_15 = (
    date(2031, 5, 14),
    date(2031, 5, 15),
    date(2031, 6, 14),
    date(2031, 6, 15),
    date(2031, 7, 15),
)


def audited():
    assert [report for report in run_audits() if report.findings] == []
