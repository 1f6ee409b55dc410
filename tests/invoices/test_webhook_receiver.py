"""The receiver of the documentation verifies what is sent, and catches up on what it has missed."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from accounts.keys import create_key
from accounts.models import Event
from invoices.models import WebhookDelivery
from invoices.services.webhooks.delivering import request_body, send_round, signed_headers
from invoices.services.webhooks.endpoints import add_endpoint
from tests.support.billing import JAN_10, bill
from tests.support.documentation import ROOT
from tests.support.factories import BY_TEST, an_account
from tests.support.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_receiver_verifies_and_catches_up(acme, process, live_server, monkeypatch, settings, tmp_path):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/receive-webhooks.md").read_text(), re.S)
    assert len([line for line in code.splitlines() if line]) <= 22
    with receiving(tmp_path) as receiver:
        endpoint = add_endpoint(client=acme, caller=BY_TEST, url=receiver.url("/ok"))
        auth_key = create_key(acme, name="erp", caller=BY_TEST)[1]
        environment = {"SITE": live_server.url, "SECRET": endpoint.secret, "CLIENT_NO": str(acme.pk), "AUTH_KEY": auth_key}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "erp.py").write_text(code)
        spec = spec_from_file_location("erp", tmp_path / "erp.py")
        erp = module_from_spec(spec)
        spec.loader.exec_module(erp)
        hooks = erp.app.test_client()
        bill(an_account(acme), process, JAN_10)
        send_round(endpoint.pk)
        # Events of several objects are sent at once, so the oldest is not always the first to arrive.
        first = min(receiver.got, key=lambda one: json.loads(one["body"])["id"])
        assert hooks.post("/hooks", data=first["body"], headers=first["headers"]).status_code == 204
        erp.app.testing = True
        with pytest.raises(WebhookVerificationError):
            hooks.post("/hooks", data=first["body"].replace("usd", "eur") + " ", headers=first["headers"])
    seen = erp.seen
    assert list(seen) == [json.loads(first["body"])["id"]]
    erp.catch_up(max(seen))
    types = [event["type"] for event in seen.values()]
    assert types == ["webhook.added", "invoice.generated", "invoice.issued"]
    delivery = WebhookDelivery.objects.select_related("event").latest("event")
    body, at = request_body(delivery), Event.objects.latest("pk").at
    assert Webhook(endpoint.secret).verify(body, signed_headers(endpoint, delivery, body, at)) == seen[delivery.event_id]
