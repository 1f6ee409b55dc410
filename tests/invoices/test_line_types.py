"""The one table of line types: each type has its row, and what is treated alike is as Aria's types are described."""

from accounts import kinds as accounts_kinds
from invoices.kinds import (
    ADVANCE_TYPES,
    ARREARS_TYPES,
    CREDIT_TYPES,
    DAY_TYPES,
    EACH_CYCLE_TYPES,
    LINE_PROPERTIES,
    NOT_SURCHARGEABLE,
    PLAN_TYPES,
    LineType,
)


def test_each_line_type_has_a_row():
    assert set(LINE_PROPERTIES) == set(LineType)


def test_the_types_by_their_numbers():
    numbers = {
        "credits": {3, 4},
        "in advance": {1, 5},
        "in arrears": {6, 7},
        "of plans": {1, 5, 6, 7},
        "by days": {1, 7},
        "each cycle": {1, 6, 7},
        "never in the base of a surcharge": {2, 9},
    }
    assert numbers == {
        "credits": set(CREDIT_TYPES),
        "in advance": set(ADVANCE_TYPES),
        "in arrears": set(ARREARS_TYPES),
        "of plans": set(PLAN_TYPES),
        "by days": set(DAY_TYPES),
        "each cycle": set(EACH_CYCLE_TYPES),
        "never in the base of a surcharge": set(NOT_SURCHARGEABLE),
    }


def test_what_plans_charge_agrees_with_the_catalogue():
    """A charge of a plan has the number of the line type that it makes."""
    assert {int(type) for type in accounts_kinds.ChargeType} == set(PLAN_TYPES)
    assert {int(type) for type in accounts_kinds.ARREARS_TYPES} == set(ARREARS_TYPES)
