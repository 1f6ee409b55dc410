"""A local server that answers as Stripe does, as a process with a temporary folder."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import requests
import stripe
from django.conf import settings

from invoices.gateways.stripe import StripeGateway

API_KEY, WEBHOOK_SECRET = "sk_test_12345", "whsec_of_the_tests"


@contextmanager
def running_localstripe(folder):
    """Run the server and return its address. It is ended by its process id."""
    port = _free_port()
    command = [sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"http://localhost:{port}"
    finally:
        process.kill()
        process.wait(timeout=10)


def _free_port():
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::", 0))
        return probe.getsockname()[1]


def _wait_for(port, process):
    for _ in range(200):
        assert process.poll() is None, "localstripe has ended"
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("localstripe does not answer")


def stripe_client():
    """Return a client that acts as the client's own pages, or staff at Stripe, would."""
    return stripe.StripeClient(API_KEY, base_addresses={"api": settings.STRIPE_API_BASE}, max_network_retries=0).v1


def card(number):
    """Return a payment method for a test card, as the client's page gets it from Stripe. We never see the number."""
    details = {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": "123"}}
    return stripe_client().payment_methods.create(details).id


def deliver_to(url):
    """Let the server send its messages to this address."""
    hook = {"url": url, "secret": WEBHOOK_SECRET, "events": ["payment_intent.succeeded", "payment_intent.payment_failed"]}
    requests.post(f"{settings.STRIPE_API_BASE}/_config/webhooks/tests", json=hook, timeout=10).raise_for_status()


class DeafStripe(StripeGateway):
    """Stripe charges and refunds, but its answer is lost."""

    def charge(self, request):
        super().charge(request)
        raise TimeoutError

    def refund(self, request):
        super().refund(request)
        raise TimeoutError
