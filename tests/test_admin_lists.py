"""The admin's lists and exports: what they offer to sort by sorts, and a filter that makes no sense is not an error of the
server."""

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch

from tests.support.admin_pages import list_url, page_url, texts
from tests.support.described_world import described_world

pytestmark = pytest.mark.django_db

LISTS = [model for model in admin.site._registry if model._meta.app_label in ("accounts", "invoices", "rebills")]


def export_url(model):
    try:
        return page_url(model, "export")
    except NoReverseMatch:
        return None


EXPORTS = [model for model in LISTS if export_url(model)]


@pytest.fixture
def signed_in(client, admin_user):
    client.force_login(admin_user)
    return client


def test_every_heading_that_a_list_offers_to_sort_by_sorts(signed_in, admin_user, rf):
    """Each list is shown as a page once. In the order of each heading its rows are read without a page around them."""
    described_world()
    for model in LISTS:
        page = signed_in.get(list_url(model))
        rows = {row.pk for row in page.context["cl"].result_list}
        for column in range(1, 10):
            for sign in ("", "-"):
                request = rf.get(list_url(model), {"o": f"{sign}{column}"})
                request.user = admin_user
                sorted_rows = admin.site._registry[model].get_changelist_instance(request).result_list
                assert {row.pk for row in sorted_rows} == rows, (model, column)


def test_payments_and_refunds_are_sorted_by_the_amount_of_their_entries(signed_in):
    described_world()
    for name in ("payment", "refund"):
        (model,) = [one for one in LISTS if one._meta.model_name == name]
        columns = admin.site._registry[model].list_display
        for column, path in (("amount_in_currency", "amount"), ("date", "entry_date")):
            order = columns.index(column) + (
                1 if signed_in.get(list_url(model)).context["cl"].list_display[0] != columns[0] else 0
            )
            shown = signed_in.get(list_url(model), {"o": str(order)}).context["cl"].result_list
            values = [getattr(row.entry, path) for row in shown]
            assert values and values == sorted(values)


@pytest.mark.parametrize("query", [{"foo": "1"}, {"status__exact": "x"}, {"id__exact": "x"}, {"o": "x"}, {"p": "x"}])
def test_an_export_by_a_filter_that_makes_no_sense_writes_nothing(signed_in, acme, query):
    assert len(EXPORTS) >= 8
    for model in EXPORTS:
        response = signed_in.get(export_url(model), query)
        assert response.status_code in (200, 302, 400), (model, query)
        if query == {"foo": "1"}:
            assert response.status_code == 302 and response["Location"] == list_url(model)
            assert set(texts(response)) == {"This list does not have this filter. Nothing was exported."}
