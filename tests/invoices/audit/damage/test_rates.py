"""Lines keep to their rate, their percent and their band."""

import pytest

from tests.support.audits.names import BANDS, LINE_AMOUNTS, PERCENTS
from tests.support.audits.planting import HELD_FEB, LINE, OFFICE_FEB, OFFICE_MAR, PLAIN_JAN, check_found, findings_of, plant

DAMAGES = [
    (
        LINE_AMOUNTS,
        [LINE.format("amount = 29.99", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 29.99, which is not 30 for 1 units by factor 1",
    ),
    (
        LINE_AMOUNTS,
        [LINE.format("units = NULL", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 30, which is not 30 for no units by factor 1",
    ),
    (
        LINE_AMOUNTS,
        [LINE.format("rate_per_unit = 9000000000, units = 90000000000", "plain_jan", 1)],
        PLAIN_JAN + ": line 1 is 30, which is not 9000000000 for 90000000000 units by factor 1",
    ),
    (
        LINE_AMOUNTS,
        LINE.format("rate_per_unit = NULL", "plain_jan", 1),
        PLAIN_JAN + ": line 1 is 30 without a rate, and does not say why",
    ),
    (
        LINE_AMOUNTS,
        LINE.format("explanation = ''", "office_feb", 8),
        OFFICE_FEB + ": line 8 is -5 without a rate, and does not say why",
    ),
    (
        LINE_AMOUNTS,
        LINE.format("units = 41", "office_feb", 4),
        OFFICE_FEB + ": line 4 is 3.03, which is not 0.05 for 41 units by factor 1",
    ),
    (
        PERCENTS,
        LINE.format("percent = 11", "office_feb", 19),
        OFFICE_FEB + ": line 19 is -218.07, which is not 11 % of 2180.66",
    ),
    (
        PERCENTS,
        LINE.format("amount = 218.07", "office_feb", 19),
        OFFICE_FEB + ": line 19 is 218.07, which is not 10 % of 2180.66",
    ),
    (PERCENTS, LINE.format("amount = 42.72", "office_feb", 17), OFFICE_FEB + ": line 17 is 42.72, which is not 2 % of 2136.43"),
    (
        PERCENTS,
        LINE.format("amount = -42.73", "office_feb", 17),
        OFFICE_FEB + ": line 17 is -42.73, which is not 2 % of 2136.43",
    ),
    (
        PERCENTS,
        LINE.format("percent = 999, base_amount = 99999999999", "office_feb", 17),
        OFFICE_FEB + ": line 17 is 42.73, which is not 999 % of 99999999999",
    ),
    (
        PERCENTS,
        LINE.format("base_amount = NULL", "office_feb", 17),
        OFFICE_FEB + ": line 17 has a percent without a base, or a base without a percent",
    ),
    (
        PERCENTS,
        LINE.format("percent = NULL", "office_feb", 17),
        OFFICE_FEB + ": line 17 has a percent without a base, or a base without a percent",
    ),
    (
        PERCENTS,
        LINE.format("percent = 200, amount = -4361.32", "office_feb", 19),
        OFFICE_FEB + ": line 19 credits 4361.32, which is more than its base of 2180.66",
    ),
    # The lines of a tiered price fill one band after the other.
    (
        BANDS,
        LINE.format("units = 99", "office_feb", 3),
        OFFICE_FEB + ": line 3 prices only 99 units in band 1, above 0 to 100, and the next line those above",
    ),
    (
        BANDS,
        LINE.format("units = 4", "office_feb", 14),
        OFFICE_FEB + ": line 14 prices only 4 units in band 2, above 5 to 10, and the next line those above",
    ),
    (
        BANDS,
        LINE.format("units = 0", "office_feb", 15),
        OFFICE_FEB + ": line 15 prices 0 units in band 3, above 10 without end",
    ),
    (
        BANDS,
        LINE.format("tier_no = 3", "office_feb", 4),
        OFFICE_FEB + ": line 3 prices units in band 1, above 0 to 100, and line 4 in band 3, above 100 without end",
    ),
    (
        BANDS,
        LINE.format("tier_from = 99", "office_feb", 4),
        OFFICE_FEB + ": line 3 prices units in band 1, above 0 to 100, and line 4 in band 2, above 99 without end",
    ),
    (
        BANDS,
        LINE.format("tier_no = NULL", "office_feb", 13),
        OFFICE_FEB + ": line 14 prices the first units in band 2, above 5 to 10",
    ),
    # A price with a single line may be a volume price, of all units.
    (
        BANDS,
        LINE.format("units = 50", "office_feb", 5),
        OFFICE_FEB + ": line 5 prices 50 units in band 2, above 50 without end",
    ),
    (BANDS, LINE.format("units = 100.5", "held_feb", 3), HELD_FEB + ": line 3 prices 100.5 units in band 1, above 0 to 100"),
    (BANDS, LINE.format("tier_to = 40", "office_feb", 5), OFFICE_FEB + ": line 5 prices 60 units in band 2, above 50 to 40"),
    (
        BANDS,
        LINE.format("tier_from = NULL", "office_feb", 5),
        OFFICE_FEB + ": line 5 prices 60 units in band 2, above nothing without end",
    ),
    (
        BANDS,
        LINE.format("tier_no = 1", "office_feb", 5),
        OFFICE_FEB + ": line 5 prices 60 units in band 1, above 50 without end",
    ),
    (
        BANDS,
        LINE.format("units = NULL", "office_feb", 5),
        OFFICE_FEB + ": line 5 prices no units in band 2, above 50 without end",
    ),
    # Only late usage may begin in the middle of a band.
    (
        BANDS,
        LINE.format("explanation = ''", "office_mar", 3),
        OFFICE_MAR + ": line 3 prices 30 units in band 2, above 100 without end",
    ),
]

WIDER = [
    (BANDS, LINE.format("units = 101", "office_feb", 3), OFFICE_FEB + ": line 3 prices 101 units in band 1, above 0 to 100"),
]


@pytest.mark.parametrize(("audit", "sql", "finding"), DAMAGES)
def test_damage_is_found_and_named_once(world, audit, sql, finding):
    check_found(world, audit, sql, finding, alone=True)


@pytest.mark.parametrize(("audit", "sql", "finding"), WIDER)
def test_damage_that_shows_in_several_places_is_found_and_named(world, audit, sql, finding):
    check_found(world, audit, sql, finding)


def test_a_coupon_may_take_off_all_of_its_base(world):
    plant(LINE.format("percent = 100, amount = -2180.66", "office_feb", 19), world)
    assert findings_of(PERCENTS) == []


def test_no_units_are_in_the_first_band(world):
    plant(LINE.format("units = 0", "held_feb", 3), world)
    assert findings_of(BANDS) == []
