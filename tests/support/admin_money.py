"""Admin forms that move money."""

import pytest

from tests.support.admin_pages import add_url, errors


@pytest.fixture
def browser(client, admin_user):
    client.force_login(admin_user)
    return client


def add(browser, model, **data):
    response = browser.post(add_url(model), data)
    assert response.status_code == 302, errors(response)


def refused(browser, model, field, **data):
    response = browser.post(add_url(model), data)
    assert response.status_code == 200
    return errors(response)[field]
