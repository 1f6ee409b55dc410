"""Data with a document of every kind."""

from accounts.callers import Caller
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.factories import TaxRateFactory, a_plan, an_account
from tests.support.payments import pay
from tests.support.rebilling import rebilled

PROCESS = Caller(process="test")


class World:
    """Six documents: paid, open, rebilled with memo and rebill, pending."""

    def __init__(self, acme):
        TaxRateFactory(client=acme)
        plan = a_plan(acme, {"phone": "30.00", "tv": "20.00"})
        one = an_account(acme, plan, client_acct_id="AB-1")
        one.contacts.update(name="Emma Meier")
        self.paid = bill(one, PROCESS, JAN_10)
        pay(one, PROCESS, "55.00")
        self.open = bill(one, PROCESS, FEB_10)
        other = an_account(acme, plan, client_acct_id="CD-2")
        other.plan_instances.update(po_num="PO 9")
        self.original = bill(other, PROCESS, JAN_10)
        self.rebill = rebilled(self.original, PROCESS, 1, today=FEB_10)
        self.memo = self.rebill.memo
        self.pending = bill(other, PROCESS, FEB_10, force_pending=True)

    def names(self, numbers):
        by_number = {getattr(self, name).pk: name for name in ("paid", "open", "original", "rebill", "memo", "pending")}
        return {by_number[number] for number in numbers}


EVERYTHING = {"paid", "open", "original", "rebill", "memo", "pending"}
