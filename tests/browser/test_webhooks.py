"""The pages of webhooks in a real browser."""

import pytest
from django.utils import timezone

from invoices.models import WebhookDelivery, WebhookTry
from invoices.services.webhooks.endpoints import add_endpoint, send_test
from tests.browser.conftest import check_looks
from tests.support.factories import BY_TEST, ClientFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_pages_of_webhooks_look_right_everywhere(opened, admin_user):
    client = ClientFactory()
    page = opened(admin_user)
    check_looks(page, "/webhooks/")
    endpoint = add_endpoint(client=client, caller=BY_TEST, url="https://erp.example.com/hooks/" + "a" * 80, description="ERP")
    send_test(endpoint, caller=BY_TEST)
    WebhookTry.objects.create(
        delivery=WebhookDelivery.objects.get(), at=timezone.now(), milliseconds=9, problem="answered 500", answer="x" * 300
    )
    for address in ("/webhooks/", f"/webhooks/{endpoint.pk}/"):
        check_looks(page, address)
