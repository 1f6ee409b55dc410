"""Which clients staff see, and what people, keys and commands are called."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from accounts.keys import create_key
from accounts.staff import clients_of, name_of, names_of
from tests.support.factories import BY_TEST

pytestmark = pytest.mark.django_db


def user(name, **flags):
    return get_user_model().objects.create(username=name, **flags)


def test_staff_see_the_clients_that_name_them_and_superusers_see_all(acme, umbra):
    biller, boss = user("biller", is_staff=True), user("boss", is_staff=True, is_superuser=True)
    umbra.staff.add(biller)
    assert (list(clients_of(biller)), list(clients_of(boss))) == ([umbra], [acme, umbra])


def test_strangers_and_those_who_left_see_none(acme):
    gone = user("gone", is_staff=True, is_superuser=True, is_active=False)
    customer = user("customer")
    acme.staff.add(customer)
    assert [list(clients_of(one)) for one in (gone, customer, AnonymousUser())] == [[], [], []]


def test_identities_are_told_in_words(acme, django_assert_num_queries):
    ann, ben = user("ann", first_name="Ann", last_name="Lee"), user("ben")
    key, _ = create_key(acme, name="Shop", caller=BY_TEST)
    identities = [f"staff:{ann.pk}", f"staff:{ben.pk}", f"key:{key.pk}", "process:nightly bill", "staff:999", "key:999", ""]
    with django_assert_num_queries(2):
        names = names_of(identities)
    assert [names[one] for one in identities] == [
        "Ann Lee",
        "ben",
        "key Shop",
        "process nightly bill",
        "user 999",
        "key 999",
        "",
    ]
    assert (name_of(f"staff:{ann.pk}"), name_of("")) == ("Ann Lee", "")
