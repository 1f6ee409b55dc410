"""No dead ends: what a refusal recommends is possible, and what is offered is not refused."""

import pytest

from tests.support.rebill_states import STATES, choices, do, follow, undone, way_out

pytestmark = pytest.mark.usefixtures("audited")

IN_EACH = pytest.mark.parametrize("make", STATES, ids=lambda make: make.__name__)


@IN_EACH
def test_what_a_refusal_recommends_can_be_done(acme, process, make):
    document = make(acme, process)
    refused = [one for one in choices(document, process) if one.error is not None]
    assert refused
    for one in refused:
        if one.instead:
            for steps in way_out(one, document, process):
                with undone():
                    follow(steps, process)


@IN_EACH
def test_what_is_offered_is_not_refused(acme, process, make):
    document = make(acme, process)
    for one in choices(document, process):
        if one.error is None:
            with undone():
                do(one.action, document, process)


def test_each_state_is_the_one_that_its_name_says(acme, process):
    """Each state differs in the offered actions and the reasons, so that none is tested twice."""
    seen = {}
    for make in STATES:
        with undone():
            document = make(acme, process)
            shown = tuple((one.action, one.error and one.error.code, one.instead[:12]) for one in choices(document, process))
            seen.setdefault(shown, []).append(make.__name__)
        acme.refresh_from_db()
    assert len(seen) > len(STATES) * 0.6, seen
