"""Where the pages send the browser on to: an address of ours, whatever it says of where it came from."""

import pytest


@pytest.mark.parametrize(
    ("asked", "gone_to"),
    [("/invoices/?status=pending", "/invoices/?status=pending"), ("nowhere", "nowhere"), ("//evil.example/", "/"), ("", "/")],
)
def test_colours_lead_back_to_a_page_of_ours(client, db, asked, gone_to):
    answer = client.post("/theme/", {"theme": "dark", "next": asked})
    assert (answer.status_code, answer.url) == (302, gone_to)


@pytest.mark.parametrize(
    ("came_from", "gone_to"),
    [
        ("http://testserver/invoices/?page=2", "/invoices/?page=2"),
        ("http://testserver//evil.example/", "/evil.example/"),
        ("http://evil.example/", "/accounts/"),
        ("http://testserver/accounts/?cursor=none", "/accounts/"),
    ],
)
def test_a_refusal_leads_back_to_a_page_of_ours(acme, admin_client, came_from, gone_to):
    answer = admin_client.get("/accounts/?cursor=none", headers={"Referer": came_from})
    assert (answer.status_code, answer.url) == (302, gone_to)
