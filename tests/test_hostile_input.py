"""Whatever is sent to the API, it answers: by a refusal of the one table, soon, in little memory; and nothing is written."""

import json
import time
import tracemalloc

import pytest
from django.test import Client as Browser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from accounts.aria.method_calls import CallerFields
from accounts.keys import create_key
from accounts.models import ApiCall
from billing_site.api import METHODS
from billing_site.errors import LONGEST_MESSAGE
from tests.support.billing import JAN_10, bill
from tests.support.calling import RIGHTS, rows_stored
from tests.support.factories import BY_TEST, an_account
from tests.support.hostile import HOSTILE, SOAKS, as_body, hostile_members, written

CORE = "/v1/core"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
EXAMPLES = 60 if SOAKS else 2
MEGABYTE = 2**20

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def virtual_clock(settings):
    settings.VIRTUAL_CLOCK = True


@pytest.fixture
def invoice(acme, process):
    return bill(an_account(acme), process, JAN_10)


@pytest.fixture
def sender(acme):
    return {
        "client_no": acme.pk,
        "auth_key": create_key(acme, name="stranger", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1],
    }


@pytest.fixture
def good(invoice):
    """A value for every field that a call needs."""
    return {
        "acct_no": invoice.account_id,
        "account_no": invoice.account_id,
        "invoice_no": invoice.pk,
        "orig_invoice_no": invoice.pk,
        "src_transaction_id": invoice.pk,
        "master_plan_instance_no": -1,
        "reason_cd": 1,
        "reason_code": 1,
        "reason_code_type": "rebill",
        "reason_code_name": "Wrong rate",
        "payment_amount": "1.00",
        "reference_code": "1042",
        "hours": 1,
        "rb_line_items": [{"line_no": 1, "client_service_id": "phone", "rb_units": 1}],
    }


def fields_of(name):
    return getattr(METHODS[name], name).method_call.arguments().fields


def answered(body, *, content_type=JSON, url=CORE, query="output_format=json"):
    response = Browser(raise_request_exception=False).generic("POST", f"{url}?{query}", body, content_type=content_type)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    answer = response.json()
    assert answer["error_code"] != 1001, answer
    assert len(answer["error_msg"]) <= LONGEST_MESSAGE
    return answer


def refused(body, **options):
    before = rows_stored()
    answer = answered(body, **options)
    assert answer["error_code"] != 0
    assert rows_stored() == before
    return answer


# Values, in every field of every method.


@pytest.mark.parametrize(("place", "name"), list(enumerate(METHODS)), ids=METHODS)
def test_hostile_values_in_all_fields_at_once_are_refused(place, name, sender):
    before, logged = rows_stored(), ApiCall.objects.count()
    fields = [*fields_of(name), *CallerFields().fields]
    needed = [field for field in fields_of(name).values() if field.required]
    calls = list(hostile_members(fields, place))
    for members in calls:
        answer = answered(as_body({**members, **written({**sender, "rest_call": name})}))
        assert answer["error_code"] != 0 or not needed
    assert rows_stored() == before
    assert ApiCall.objects.count() == logged + len(calls)


@pytest.mark.parametrize("name", METHODS)
def test_hostile_values_among_good_ones_change_nothing_where_they_are_refused(name, sender, good):
    fields = fields_of(name)
    line_fields = getattr(getattr(fields.get("rb_line_items"), "child", None), "fields", {})
    values = some.sampled_from(sorted(HOSTILE.values())) | some.integers().map(str) | some.text(max_size=20).map(json.dumps)
    names = some.sampled_from([*fields, *line_fields, *CallerFields().fields]) | some.text(max_size=20)
    plain = written({name: value for name, value in good.items() if name in fields})

    stored = rows_stored()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(some.dictionaries(names, values, min_size=1, max_size=3))
    def tried(hostile):
        nonlocal stored
        answer = answered(as_body({**plain, **hostile, **written({**sender, "rest_call": name})}))
        before, stored = stored, rows_stored()
        assert answer["error_code"] == 0 or stored == before

    tried()


@pytest.mark.parametrize("name", ["rest_call", "output_format", "client_no", "auth_key"])
def test_hostile_values_where_a_call_says_who_sends_it(name, sender):
    before = rows_stored()
    for value in HOSTILE.values():
        body = as_body({**written({**sender, "rest_call": "gen_invoice", "output_format": "json"}), name: value})
        response = Browser(raise_request_exception=False).generic("POST", CORE, body, content_type=JSON)
        assert response.status_code == 200
        assert b"1001" not in response.content
    assert rows_stored() == before


def test_a_hostile_value_in_all_columns_of_a_line(sender, good):
    columns = fields_of("gen_rb_m")["rb_line_items"].child.fields
    sent = written({**sender, **{name: good[name] for name in ("acct_no", "orig_invoice_no", "reason_cd")}})
    for value in HOSTILE.values():
        rebill = {**sent, "rest_call": '"gen_rb_m"', "rb_line_items": f"[{as_body(dict.fromkeys(columns, value))}]"}
        refused(as_body(rebill))


def test_the_clock_ends_before_days_do(sender):
    for _ in range(12):
        answer = answered(json.dumps({**sender, "rest_call": "advance_virtual_datetime", "hours": 999_999}))
    assert (answer["error_code"], answer["error_msg"]) == (
        1016,
        "invalid input: hours: the virtual clock cannot go beyond the year 2999",
    )
    assert answered(json.dumps({**sender, "rest_call": "get_virtual_datetime"}))["error_code"] == 0


# Bodies.

REBILL = {"rest_call": "gen_rb_m", "orig_invoice_no": 1, "reason_cd": 1, "acct_no": 1}


def json_of(sender, text):
    """A rebill with more members, as text. The member that the text begins with replaces the rebill's own."""
    others = {name: value for name, value in {**sender, **REBILL}.items() if not text.startswith(f'"{name}":')}
    return json.dumps(others)[:-1] + "," + text + "}"


def form_of(sender, text):
    return "&".join(f"{name}={value}" for name, value in {**sender, **REBILL}.items()) + "&" + text


UNREADABLE = {
    "lists 1,000 deep": '"x":' + "[" * 1000 + "]" * 1000,
    "objects 1,000 deep": '"x":' + '{"a":' * 1000 + "1" + "}" * 1000,
    "lists 21 deep": '"x":' + "[" * 21 + "]" * 21,
    "lists 300,000 deep": '"x":' + "[" * 300_000,
    "NaN": '"x": NaN',
    "Infinity": '"x": -Infinity',
    "more than a double": '"x": 1e999999',
    "5,000 digits": '"x": ' + "1" * 5000,
    "10 MB": '"x": "' + "x" * 10 * MEGABYTE + '"',
    "no end": '"x": "',
    "a raw NUL": '"x": "\0"',
    "bytes that are no UTF-8": b'"x": "\xff\xfe"',
    "a surrogate in UTF-8": b'"x": "\xed\xa0\x80"',
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_json_that_cannot_be_read(text, sender):
    start = json.dumps({**sender, **REBILL})[:-1] + ","
    body = start.encode() + (text if isinstance(text, bytes) else text.encode()) + b"}"
    assert refused(body)["error_code"] == 1012


@pytest.mark.parametrize(
    "text",
    ["x=" + "x" * 10 * MEGABYTE, "x=1&" * 2_500_000, "x=%ff", "x=%ED%A0%80", "x=\0", b"x=\xff"],
    ids=["10 MB", "10 MB of fields", "no UTF-8", "a surrogate", "a raw NUL", "raw bytes"],
)
def test_forms_that_cannot_be_read(text, sender):
    body = form_of(sender, "").encode() + (text if isinstance(text, bytes) else text.encode())
    assert refused(body, content_type=FORM)["error_code"] == 1012


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("rb_line_items[0]" + "[a]" * 1000 + "=1", 1016),
        ("line_no" + "[0]" * 1000 + "=1", 1016),
        ("rb_line_items[999999999][line_no]=1", 1010),
        ("line_no[999999999]=1&line_no[9999999999]=1", 1016),
        ("line_no[-1]=1", 1016),
        ("line_no=%00", 1010),
        ("a" + "[b][c]" * 1000 + "=1", 1016),
        ("&" * 100_000, 1010),
        ("acct_no=1" * 1000, 1010),
        ("rest_call=gen_invoice&rest_call=gen_nothing", -1),
        ("auth_key=x", 1004),
        ("client_no=1&client_no=" + "9" * 5000, 1012),
    ],
)
def test_names_of_forms(text, code, sender):
    assert refused(form_of(sender, text), content_type=FORM)["error_code"] == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('"acct_no": 1, "acct_no": {}, "acct_no": [[]]', 1016),
        ('"auth_key": "x"', 1004),
        ('"auth_key": "x", "auth_key": "x"', 1016),
        ('"auth_key": ["x"]', 1016),
        ('"rest_call": "gen_invoice", "rest_call": {"a": "gen_invoice"}', 1016),
        ('"rest_call": {"a": "gen_invoice"}', -1),
        ('"rb_line_items": "1"', 1016),
        ('"rb_line_items": {"0": {"line_no": 1}}', 1016),
        ('"rb_line_items": [[{"line_no": 1}]]', 1016),
        ('"line_no": {"0": 1}', 1016),
        ('"line_no[0]": [1]', 1016),
    ],
)
def test_names_that_come_twice_and_lists_for_objects(text, code, sender):
    assert refused(json_of(sender, text))["error_code"] in (code, 1010)


# The worst that fits into 8 MB. What it costs is time of this process, whatever else the machine does, and memory at its peak.

SIZE = 7_900_000
LINE = '{"line_no":1,"client_service_id":"phone","rb_units":"x","rb_amount":"x"},'
WORST = {
    "10,000 line items": (JSON, '"rb_line_items":[' + (LINE * 10_000)[:-1] + "]", 1012),
    "2,000 wrong line items": (JSON, '"rb_line_items":[' + (LINE * 2_000)[:-1] + "]", 1016),
    "2,000 empty line items": (JSON, '"rb_line_items":[' + ("{}," * 2_000)[:-1] + "]", 1010),
    "400,000 line items": (JSON, '"rb_line_items":[' + ("{}," * 400_000)[:-1] + "]", 1012),
    "a column of bars": (JSON, '"line_no":"' + "|" * SIZE + '"', 1012),
    "a column of numbers": (JSON, '"line_no":[' + ("1," * 900_000)[:-1] + "]", 1012),
    "columns with their rows": (JSON, ",".join(f'"line_no[{row}]":1' for row in range(SIZE // 20)), 1012),
    "empty lists": (JSON, '"x":[' + ("[]," * 100_000)[:-1] + "]", 1016),
    "500,000 names": (JSON, ",".join(f'"n{number}":1' for number in range(500_000)), 1012),
    "too many of them": (JSON, '"x":[' + ("[]," * (SIZE // 3))[:-1] + "]", 1012),
    "one long text": (JSON, f'"rb_comments":"{"x" * SIZE}"', 1010),
    "one long number": (JSON, f'"acct_no":"{"9" * SIZE}"', 1010),
    "one long amount": (JSON, f'"rb_line_items":[{{"line_no":1,"client_service_id":"x","rb_amount":"{"9" * SIZE}"}}]', 1012),
    "one long choice": (JSON, f'"rest_call":"create_reason_code_m","reason_code_type":"{"x" * SIZE}"', 1016),
    "one long name": (JSON, f'"line_no{"x" * SIZE}":1', 1016),
    "long brackets": (JSON, f'"line_no{"[0]" * 200_000}":1', 1016),
    "longer brackets": (JSON, f'"line_no{"[0]" * 900_000}":1', 1012),
    "many qualifiers": (JSON, '"optional_transaction_qualifiers":[' + ("1," * 200_000)[:-1] + "]", 1010),
    "more qualifiers": (JSON, '"optional_transaction_qualifiers":[' + ("1," * 900_000)[:-1] + "]", 1012),
    "bars for invoices": (JSON, f'"rest_call":"record_external_payment","invoice_no":"{"|" * SIZE}"', 1012),
    "as many fields as a form may have": (FORM, "&".join(f"line_no[{row}]=1" for row in range(199_000)), 1012),
    "one name as often": (FORM, "line_no=1&" * 199_000, 1012),
    "nested names as often": (FORM, "&".join(f"rb_line_items[][line_no]={row}" for row in range(199_000)), 1012),
    "a million encoded bytes": (FORM, "rb_comments=" + "%41" * 1_000_000, 1010),
    "more of them": (FORM, "rb_comments=" + "%41" * (SIZE // 3), 1012),
}


@pytest.mark.parametrize(("content_type", "text", "code"), WORST.values(), ids=WORST)
def test_the_worst_costs_two_seconds_at_most(content_type, text, code, sender):
    body = (json_of if content_type == JSON else form_of)(sender, text)
    began = time.process_time()
    answer = refused(body, content_type=content_type)
    assert time.process_time() - began < 2
    assert answer["error_code"] == code


@pytest.mark.parametrize("name", ["a column of bars", "empty lists"])
def test_the_worst_costs_a_small_multiple_of_the_longest_body(name, sender):
    content_type, text, _ = WORST[name]
    body = (json_of if content_type == JSON else form_of)(sender, text).encode()
    tracemalloc.start()
    try:
        answered(body, content_type=content_type)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 * SIZE
