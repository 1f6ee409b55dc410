"""Which clients staff see."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser

from accounts.staff import clients_of

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
