"""Admin forms that move money."""

import pytest

from tests.support.admin_pages import add_url, errors


@pytest.fixture
def signed_in(client, admin_user):
    client.force_login(admin_user)
    return client


def add(signed_in, model, **data):
    response = signed_in.post(add_url(model), data)
    assert response.status_code == 302, errors(response)


def refused(signed_in, model, field, **data):
    response = signed_in.post(add_url(model), data)
    assert response.status_code == 200
    return errors(response)[field]
