"""Webhooks to a receiver that is a process of its own: what it gets, in which order, and what happens if it does not answer."""

import json
import time
from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.callers import Caller
from accounts.models import Event
from accounts.trail import Act, record_acts
from billing_site.errors import BillingError
from invoices.kinds import DeliveryState
from invoices.models import WebhookDelivery, WebhookEndpoint, WebhookTry
from invoices.services.webhooks import addresses, delivering, posting
from invoices.services.webhooks.addresses import check_url, is_allowed
from invoices.services.webhooks.delivering import PATIENCE, send_round
from invoices.services.webhooks.endpoints import (
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    rotate_secret,
    send_again,
    send_span_again,
    send_test,
)
from tests.support.billing import JAN_10, bill
from tests.support.factories import BY_TEST, an_account
from tests.support.money_api import get, post, with_key
from tests.support.receiver import receiving

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(tmp_path, settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as receiver:
        yield receiver


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(posting, "SECONDS", 1.0)


def an_endpoint(client, url, **options):
    return add_endpoint(client=client, caller=BY_TEST, url=url, **options)


def happens(client, *names, invoice_no=None):
    record_acts(client, Caller(process="test"), [Act(name, invoice_no=invoice_no) for name in names])


def send_all(endpoint, rounds=20):
    """Send what is due. Returns how many rounds that took."""
    for count in range(rounds):
        if not send_round(endpoint.pk):
            return count
    return rounds


def states(endpoint):
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).order_by("event")
    return list(rows.values_list("event__type", "state", "tries"))


def problems(endpoint):
    return list(WebhookTry.objects.filter(delivery__endpoint=endpoint).values_list("http_status", "problem"))


def later(endpoint, **time):
    """Move what the endpoint has into the past."""
    for delivery in WebhookDelivery.objects.filter(endpoint=endpoint):
        delivery.next_at -= timedelta(**time)
        delivery.first_tried_at = delivery.first_tried_at and delivery.first_tried_at - timedelta(**time)
        delivery.save()


def test_an_event_arrives_signed_as_the_library_verifies_it(acme, process, receiver):
    endpoint = an_endpoint(acme, receiver.url("/ok"), event_types=["invoice.*"])
    invoice = bill(an_account(acme), process, JAN_10)
    happens(acme, "run.paused")
    send_all(endpoint)
    assert receiver.types("/ok") == ["invoice.generated", "invoice.issued"]
    got = receiver.got[1]
    event = Webhook(endpoint.secret).verify(got["body"], got["headers"])
    assert event == with_key_read(acme, event["id"])
    assert (event["invoice_no"], event["data"]["after"]["total_amount"]) == (invoice.pk, "30.00")
    assert got["headers"]["webhook-id"] == f"evt_{event['id']}"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(got["body"], got["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(got["body"].replace("30.00", "0.30"), got["headers"])
    assert {state for _, state, _ in states(endpoint)} == {DeliveryState.DELIVERED}


def with_key_read(client, number):
    return get(with_key(client), f"events/{number}")


def test_an_endpoint_gets_the_events_of_its_client_from_then_on(acme, umbra, receiver):
    happens(acme, "run.paused")
    mine, other = (an_endpoint(client, receiver.url(f"/{path}")) for client, path in ((acme, "ok"), (umbra, "gone")))
    happens(acme, "run.stopped")
    send_all(mine)
    assert receiver.types("/ok") == ["webhook.added", "run.stopped"]
    assert receiver.types("/gone") == []
    assert states(other) == []


def test_events_about_one_object_keep_their_order_also_after_failures(acme, receiver):
    receiver.tell("/refuses")
    endpoint = an_endpoint(acme, receiver.url("/as-told"), event_types=["invoice.*"])
    happens(acme, "invoice.generated", "invoice.issued", "invoice.paid", invoice_no=7)
    happens(acme, "invoice.issued", invoice_no=8)
    send_all(endpoint)
    # Only the events about one object are in order.
    assert sorted(receiver.types("/as-told")) == ["invoice.generated", "invoice.issued"]
    first = ("invoice.generated", DeliveryState.WAITING, 1)
    behind = [("invoice.issued", "waiting", 0), ("invoice.paid", "waiting", 0)]
    assert states(endpoint) == [first, *behind, ("invoice.issued", "waiting", 1)]
    receiver.tell("/ok")
    later(endpoint, seconds=6)
    send_all(endpoint)
    seven = [json.loads(one["body"])["type"] for one in receiver.got if json.loads(one["body"])["invoice_no"] == 7]
    assert seven == ["invoice.generated"] * 2 + ["invoice.issued", "invoice.paid"]
    assert {state for _, state, _ in states(endpoint)} == {DeliveryState.DELIVERED}
    ids = {one["headers"]["webhook-id"] for one in receiver.got}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/refuses", 500, "answered 500"),
        ("/moved", 302, "answered 302; redirects are not followed"),
        ("/slow", None, "no answer within 1 seconds"),
        ("/drips", None, "no answer within 1 seconds"),
        ("/lies", None, "BadStatusLine: 220 mail.example.com ESMTP\r\n"),
    ],
)
def test_what_is_not_accepted_in_time_is_tried_again_later(acme, receiver, soon, path, status, problem):
    endpoint = an_endpoint(acme, receiver.url(path), event_types=["run.*"])
    happens(acme, "run.paused")
    begun = time.monotonic()
    assert send_all(endpoint) == 1
    assert time.monotonic() - begun < 5
    assert problems(endpoint) == [(status, problem)]
    assert receiver.types("/ok") == []
    waiting = WebhookDelivery.objects.get(endpoint=endpoint)
    assert timedelta(seconds=3) < waiting.next_at - timezone.now() <= timedelta(seconds=5)


def test_a_receiver_that_is_killed_gets_the_event_when_it_is_back(acme, receiver):
    endpoint = an_endpoint(acme, receiver.url("/ok"), event_types=["run.*"])
    receiver.kill()
    happens(acme, "run.paused")
    send_all(endpoint)
    ((status, problem),) = problems(endpoint)
    assert (status, problem.partition(":")[0]) == (None, "ConnectionRefusedError")
    receiver.start()
    later(endpoint, seconds=6)
    send_all(endpoint)
    assert receiver.types("/ok") == ["run.paused"]


def test_an_endpoint_that_accepts_nothing_for_three_days_is_switched_off_and_goes_on_when_it_is_switched_on(acme, receiver):
    receiver.tell("/refuses")
    endpoint = an_endpoint(acme, receiver.url("/as-told"), event_types=["run.*"])
    happens(acme, "run.paused")
    waits = []
    for _ in range(20):
        send_all(endpoint)
        endpoint.refresh_from_db()
        if not endpoint.is_on:
            break
        wait = WebhookDelivery.objects.get().next_at - timezone.now()
        waits.append(round(wait.total_seconds()))
        later(endpoint, seconds=wait.total_seconds() + 1)
    assert waits == [5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, *[43200] * 5]
    assert sum(waits[:-1]) < PATIENCE.total_seconds() <= sum(waits)
    assert (endpoint.is_on, endpoint.off_because) == (False, "It accepted nothing for three days: answered 500")
    assert Event.objects.get(type="webhook.disabled").after["endpoint"] == endpoint.pk
    happens(acme, "run.stopped")
    assert send_all(endpoint) == 0
    receiver.tell("/ok")
    change_endpoint(endpoint, caller=BY_TEST, is_on=True)
    send_all(endpoint)
    assert receiver.types("/as-told")[-2:] == ["run.paused", "run.stopped"]


def test_an_event_that_a_working_endpoint_refuses_for_three_days_is_given_up(acme, receiver):
    receiver.tell("/refuses")
    endpoint = an_endpoint(acme, receiver.url("/as-told"), event_types=["run.*"])
    happens(acme, "run.paused", invoice_no=1)
    send_all(endpoint)
    later(endpoint, days=3)
    WebhookEndpoint.objects.update(worked_at=timezone.now())
    send_all(endpoint)
    assert states(endpoint) == [("run.paused", DeliveryState.GIVEN_UP, 2)]
    assert WebhookEndpoint.objects.get().is_on


def test_an_endpoint_that_is_gone_is_switched_off_at_once(acme, receiver):
    endpoint = an_endpoint(acme, receiver.url("/gone"), event_types=["run.*"])
    happens(acme, "run.paused", "run.stopped")
    send_all(endpoint)
    endpoint.refresh_from_db()
    assert (endpoint.is_on, endpoint.off_because, len(receiver.got)) == (False, "It answered 410: it is gone.", 1)


def test_an_endpoint_that_fails_rests(acme, receiver):
    endpoint = an_endpoint(acme, receiver.url("/refuses"), event_types=["run.*"])
    for number in range(40):
        happens(acme, "run.paused", invoice_no=number)
    for _ in range(4):
        send_round(endpoint.pk)
    endpoint.refresh_from_db()
    assert endpoint.failures == 4
    assert timedelta(seconds=15) < endpoint.rests_until - timezone.now() <= timedelta(seconds=20)


def test_while_a_secret_is_rotated_both_sign(acme, receiver):
    endpoint = an_endpoint(acme, receiver.url("/ok"), event_types=["run.*"])
    old = endpoint.secret
    new = rotate_secret(endpoint, caller=BY_TEST).secret
    happens(acme, "run.paused")
    send_all(endpoint)
    WebhookEndpoint.objects.update(old_secret_until=timezone.now())
    happens(acme, "run.stopped")
    send_all(endpoint)
    both, one = receiver.got
    for secret in (old, new):
        Webhook(secret).verify(both["body"], both["headers"])
    Webhook(new).verify(one["body"], one["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(one["body"], one["headers"])


def test_one_event_and_a_span_are_sent_again_under_their_ids(acme, receiver):
    endpoint = an_endpoint(acme, receiver.url("/ok"), event_types=["run.*"])
    begun = timezone.now()
    happens(acme, "run.paused", "run.stopped")
    happens(acme, "invoice.paid")
    send_all(endpoint)
    send_again(WebhookDelivery.objects.latest("event"), caller=BY_TEST)
    send_all(endpoint)
    assert receiver.types("/ok") == ["run.paused", "run.stopped", "run.stopped"]
    change_endpoint(endpoint, caller=BY_TEST, event_types=["run.paused", "invoice.*"])
    assert send_span_again(endpoint, caller=BY_TEST, since=begun) == 2
    send_all(endpoint)
    assert sorted(receiver.types("/ok")[3:]) == ["invoice.paid", "run.paused"]
    assert len({one["headers"]["webhook-id"] for one in receiver.got}) == 3
    assert send_span_again(endpoint, caller=BY_TEST, since=begun, until=begun) == 0
    with pytest.raises(BillingError) as refused:
        send_span_again(endpoint, caller=BY_TEST, since=begun, until=begun - timedelta(seconds=1))
    assert (refused.value.code.number, refused.value.field) == (1016, "since")


def test_a_test_event_goes_to_one_endpoint_only(acme, receiver):
    one, other = (an_endpoint(acme, receiver.url(path), event_types=["run.*"]) for path in ("/ok", "/moved"))
    send_test(one, caller=BY_TEST)
    send_all(one)
    send_all(other)
    assert receiver.types("/ok") == ["webhook.test"]
    assert receiver.types("/moved") == []


PUBLIC = ["93.184.216.34", "2606:2800:220:1::1"]
NOT_PUBLIC = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::"),
    *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1", "5f00::1", "3fff::1", "2001:db8::1", "100::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed_by_https(address):
    assert is_allowed(ip_address(address), "https")
    assert not is_allowed(ip_address(address), "http")


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_allowed_by_the_setting_only(address, settings):
    assert not is_allowed(ip_address(address), "https")
    settings.WEBHOOK_NETWORKS = ["0.0.0.0/0", "::/0"]
    assert is_allowed(ip_address(address), "http")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://",
        "https:///x",
        "example.com",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://b\u00fccher.example/",
        "https://example.com/\r\nX: y",
        "https://example.com/" + "a" * 500,
    ],
)
def test_a_url_that_cannot_be_sent_to_is_refused(url):
    with pytest.raises(BillingError) as refused:
        check_url(url)
    assert (refused.value.code.number, refused.value.field) == (90150, "url")


@pytest.mark.parametrize("name", ["localhost", "127.1", "2130706433", "0x7f.1"])
def test_a_name_that_leads_to_this_machine_gets_nothing(acme, receiver, settings, name):
    """It passes when it is added, and is looked up again each time something is sent."""
    settings.WEBHOOK_NETWORKS = []
    endpoint = an_endpoint(acme, f"https://{name}:{receiver.port}/ok", event_types=["run.*"])
    happens(acme, "run.paused")
    send_all(endpoint)
    ((status, problem),) = problems(endpoint)
    assert status is None
    assert problem.endswith("which is not one of the public Internet")
    assert receiver.got == []


def test_the_connection_goes_to_the_address_that_was_checked(acme, receiver, monkeypatch):
    """A name that leads elsewhere a moment later changes nothing: it is looked up once."""
    asked = []
    real = addresses.socket.getaddrinfo

    def lookup(host, port, *arguments, **options):
        if host == "hooks.example.com":
            asked.append(host)
            return real("127.0.0.1", port, *arguments, **options)
        return real(host, port, *arguments, **options)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", lookup)
    endpoint = an_endpoint(acme, f"http://hooks.example.com:{receiver.port}/ok", event_types=["run.*"])
    happens(acme, "run.paused")
    send_all(endpoint)
    assert receiver.got[0]["headers"]["host"] == f"hooks.example.com:{receiver.port}"
    assert asked == ["hooks.example.com"]
    assert WebhookTry.objects.get().address == "127.0.0.1"


def test_webhooks_over_rest(acme, umbra, receiver):
    api, other = with_key(acme), with_key(umbra)
    made = post(api, "webhook-endpoints", {"url": receiver.url("/ok"), "event_types": ["webhook.*"], "description": "ERP"}, 201)
    address = f"webhook-endpoints/{made['id']}"
    assert made["secret"].startswith("whsec_")
    assert "secret" not in get(api, address)
    tested = post(api, f"{address}/test")
    send_all(WebhookEndpoint.objects.get())
    delivery = get(api, f"webhook-deliveries/{tested['id']}")
    shown = delivery["state"], delivery["log"][0]["answer"], delivery["body"]["type"]
    assert shown == ("delivered", "thanks", "webhook.test")
    assert made["secret"] not in json.dumps(delivery)
    assert len(get(api, "webhook-deliveries", state="delivered", endpoint=made["id"])["results"]) == 2
    again = post(api, "webhook-endpoints", {"url": receiver.url("/ok")}, 400)
    assert (again["error_code"], list(again["errors"])) == (1016, ["url"])
    second = post(api, "webhook-endpoints", {"url": receiver.url("/other")}, 201)["id"]
    patched = api.patch(f"/api/v1/webhook-endpoints/{second}/", {"url": receiver.url("/ok")}, format="json")
    assert (patched.status_code, list(patched.json()["errors"])) == (400, ["url"])
    same = api.patch(f"/api/v1/{address}/", {"url": receiver.url("/ok"), "description": "ERP"}, format="json")
    assert same.status_code == 200
    for wrong in ("yesterday", "2026-01-01T00:00:00", "2026-01-01"):
        undated = post(api, f"{address}/send_again", {"since": wrong}, 400)
        assert (undated["error_code"], list(undated["errors"])) == (1024, ["since"])
    theirs = post(other, "webhook-endpoints", {"url": receiver.url("/ok")}, 201)["id"]
    other.delete(f"/api/v1/webhook-endpoints/{theirs}/")
    api.delete(f"/api/v1/webhook-endpoints/{second}/")
    changed = api.patch(f"/api/v1/{address}/", {"is_on": False}, format="json").json()
    assert (changed["is_on"], changed["off_because"]) == (False, "")
    assert post(api, f"webhook-deliveries/{tested['id']}/send_again")["error_code"] == 90151
    assert post(api, f"{address}/rotate_secret")["secret"] != made["secret"]
    for path in (address, f"webhook-deliveries/{tested['id']}"):
        assert other.get(f"/api/v1/{path}/").status_code == 404
    assert get(other, "webhook-endpoints")["results"] == get(other, "webhook-deliveries")["results"] == []
    assert api.delete(f"/api/v1/{address}/").status_code == 204
    assert WebhookDelivery.objects.count() == 0
    assert "whsec_" not in json.dumps([[event.before, event.after] for event in Event.objects.all()])


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"url": "http://example.com/"}, 90150, "url"),
        ({"url": "https://example.com/", "event_types": ["invoice.bought"]}, 1016, "event_types"),
        ({"url": "https://example.com/", "typos": 1}, 1016, "typos"),
        ({}, 1010, "url"),
    ],
)
def test_an_endpoint_that_is_not_understood_is_refused(acme, body, code, field):
    answer = post(with_key(acme), "webhook-endpoints", body, 400)
    assert (answer["error_code"], list(answer["errors"])) == (code, [field])
    assert WebhookEndpoint.objects.count() == Event.objects.filter(type__startswith="webhook.").count() == 0


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("https://example.com/hook", "https://EXAMPLE.com/hook"),
        ("https://example.com/hook", "https://example.com:443/hook"),
        ("HTTPS://Example.com:443", "https://example.com/"),
        ("https://[2606:4700::1111]/hook", "https://[2606:4700::1111]:443/hook"),
    ],
)
def test_another_spelling_of_an_address_is_the_same_address(acme, first, again):
    endpoint = an_endpoint(acme, first)
    answer = post(with_key(acme), "webhook-endpoints", {"url": again}, 400)
    assert answer["error_code"] == 1016
    assert f"webhook endpoint {endpoint.pk} has this address" in answer["error_msg"]
    for other in ("https://example.com/Hook", "https://example.com:8443/hook", "https://example.com/hook?key=1"):
        an_endpoint(acme, other)


def test_a_key_that_only_reads_changes_no_webhook(acme):
    answer = post(with_key(acme, read_only=True), "webhook-endpoints", {"url": "https://example.com/"}, 403)
    assert answer["error_code"] == 90009


def test_a_client_has_at_most_20_endpoints(acme):
    for number in range(20):
        an_endpoint(acme, f"https://example.com/{number}")
    with pytest.raises(BillingError) as refused:
        an_endpoint(acme, "https://example.com/20")
    assert refused.value.code.number == 90152


def test_an_endpoint_that_is_removed_while_it_is_served_is_let_go(acme, receiver, monkeypatch):
    endpoint = an_endpoint(acme, receiver.url("/ok"), event_types=["run.*"])
    happens(acme, "run.paused")
    store = delivering._store

    def removed_meanwhile(*arguments):
        remove_endpoint(endpoint, caller=BY_TEST)
        store(*arguments)

    monkeypatch.setattr(delivering, "_store", removed_meanwhile)
    assert send_all(endpoint) == 1
    assert receiver.types("/ok") == ["run.paused"]
    assert WebhookTry.objects.count() == 0


@pytest.fixture
def page(acme, admin_user):
    browser = Browser()
    browser.force_login(admin_user)
    acme.staff.add(admin_user)
    return browser


def test_the_page_adds_tests_and_removes_an_endpoint(acme, page, receiver):
    sent = {"url": receiver.url("/ok"), "event_types": "invoice.*, run.paused", "description": "ERP", "once": "1"}
    shown = page.post("/webhooks/", sent, follow=True).content.decode()
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.event_types, endpoint.description) == (["invoice.*", "run.paused"], "ERP")
    assert endpoint.secret.replace("+", "&#x2B;") in shown.replace("+", "&#x2B;")
    assert endpoint.secret not in page.get(f"/webhooks/{endpoint.pk}/").content.decode()
    for act in ("test", "rotate"):
        page.post(f"/webhooks/{endpoint.pk}/act/{act}/", {"once": act})
    send_all(endpoint)
    assert receiver.types("/ok") == ["webhook.test"]
    listed = page.get(f"/webhooks/{endpoint.pk}/").content.decode()
    assert "webhook.test" in listed and "thanks" in listed
    page.post(f"/webhooks/{endpoint.pk}/act/again/", {"delivery": WebhookDelivery.objects.get().pk, "once": "again"})
    send_all(endpoint)
    assert receiver.types("/ok") == ["webhook.test"] * 2
    page.post(f"/webhooks/{endpoint.pk}/act/off/", {"once": "off"})
    assert not WebhookEndpoint.objects.get().is_on
    page.post(f"/webhooks/{endpoint.pk}/act/remove/", {"once": "remove"})
    assert WebhookEndpoint.objects.count() == 0
    assert "There are no webhooks yet" in page.get("/webhooks/").content.decode()


def test_a_refused_address_is_shown_on_the_page(page):
    shown = page.post("/webhooks/", {"url": "http://example.com/", "once": "1"}, follow=True).content.decode()
    assert "Webhooks cannot be sent to this address" in shown


def test_the_dashboard_says_that_an_endpoint_was_switched_off(acme, page, receiver):
    endpoint = an_endpoint(acme, receiver.url("/gone"), event_types=["run.*"])
    an_account(acme)
    happens(acme, "run.paused")
    send_all(endpoint)
    assert "Webhooks that were switched off" in page.get("/").content.decode()


def test_the_page_of_another_client_does_not_exist(umbra, receiver, acme):
    theirs = an_endpoint(umbra, receiver.url("/ok"))
    user = get_user_model().objects.create(username="ada", is_staff=True)
    user.groups.add(Group.objects.get(name="Administrator"))
    acme.staff.add(user)
    browser = Browser()
    browser.force_login(user)
    assert browser.get("/webhooks/").status_code == 200
    assert browser.get(f"/webhooks/{theirs.pk}/").status_code == 404
    assert browser.post(f"/webhooks/{theirs.pk}/act/remove/", {"once": "1"}).status_code == 404
    user.groups.set([Group.objects.get(name="Viewer")])
    browser.force_login(user)
    assert browser.get("/webhooks/").status_code == 403
