"""manage.py create_client: a client and its first key, which is shown once."""

import pytest
from django.core.management import CommandError, call_command

from accounts.keys import find_key
from accounts.models import ApiKey, Client

pytestmark = pytest.mark.django_db


def test_it_prints_a_client_no_and_a_key_that_work_together(capsys):
    call_command("create_client", "Acme Telecom")
    (_, client_no), (_, auth_key) = (line.split() for line in capsys.readouterr().out.splitlines())
    key = find_key(int(client_no), auth_key)
    assert key is not None
    assert (key.client.name, key.may_approve) == ("Acme Telecom", True)


def test_the_printed_key_is_not_stored(capsys):
    call_command("create_client", "Acme Telecom")
    auth_key = capsys.readouterr().out.split()[-1]
    assert auth_key not in ApiKey.objects.values_list("name", "prefix", "secret_hash").get()


def test_it_keeps_time_zone_and_address():
    call_command("create_client", "Acme", "--time-zone", "America/New_York", "--country", "US", "--region", "NY")
    assert Client.objects.values_list("time_zone", "country", "region").get() == ("America/New_York", "US", "NY")


def test_without_options_the_client_lives_in_utc():
    call_command("create_client", "Acme")
    assert Client.objects.values_list("time_zone", "country", "region").get() == ("UTC", "", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Acme", "--time-zone", "Mars/Olympus"], "time_zone: Mars/Olympus is not a time zone"),
        (["Acme", "--country", "narnia"], "country: "),
        (["Acme", "--region", "x" * 51], "region: "),
        ([""], "name: This field cannot be blank."),
        (["x" * 201], "name: "),
    ],
)
def test_it_refuses_a_bad_value_by_name_and_creates_nothing(arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("create_client", *arguments)
    assert not Client.objects.exists()
    assert not ApiKey.objects.exists()
