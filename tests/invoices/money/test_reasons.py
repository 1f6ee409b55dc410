"""The reasons that every client has from the beginning."""

from invoices.kinds import ReasonType
from invoices.models import ReasonCode


def test_every_kind_of_act_has_common_reasons(db):
    assert {type: ReasonCode.objects.filter(client=None, type=type).count() for type in ReasonType} == {
        ReasonType.CASH_CREDIT: 4,
        ReasonType.CREDIT_MEMO: 5,
        ReasonType.WRITE_OFF: 4,
        ReasonType.DISPUTE: 3,
        ReasonType.REFUND: 4,
        ReasonType.REBILL: 9,
    }
    assert list(ReasonCode.objects.filter(type="refund").values_list("code", "name", "is_active")) == [
        (1, "Duplicate payment", True),
        (2, "Overpayment", True),
        (3, "Customer request", True),
        (4, "Cancelled service", True),
    ]
