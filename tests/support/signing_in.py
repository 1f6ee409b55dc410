"""People with passwords and second factors, who sign in as browsers do."""

import re
import time

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client as Browser

from accounts.callers import Caller
from accounts.services.second_factors import _bytes, add_app, new_secret

PASSWORD = "a long pass phrase"


def a_person(client, name="ann", role="Administrator", **columns):
    """Return a member of staff with a password and a role."""
    user = get_user_model().objects.create_user(name, password=PASSWORD, is_staff=True, **columns)
    if role:
        user.groups.add(Group.objects.get(name=role))
    client.staff.add(user)
    return user


def code_of(secret, at=None):
    """Return the code that an authenticator app shows for a secret at this moment."""
    totp = TOTP(_bytes(secret.replace(" ", "")), 6, SHA1(), 30, enforce_key_length=False)
    return totp.generate(int(time.time() if at is None else at)).decode()


def with_app(user, at=None):
    """Give the user an authenticator app, and return its secret and the recovery codes. The code of this half minute is used
    up by it."""
    secret = new_secret()
    return secret, add_app(user, secret, code_of(secret), caller=Caller(staff=user))


def give_password(name="ann", page="/login/", browser=None, password=PASSWORD, **sent):
    """Send a name and a password, and return the browser and the answer."""
    browser = browser or Browser()
    return browser, browser.post(page, {"username": name, "password": password, **sent})


def secret_on(answer):
    """Return the secret that a page shows."""
    return re.search(r"<code class=\"text-break\">([A-Z2-7 ]+)</code>", answer.content.decode())[1]


def codes_on(answer):
    """Return the recovery codes that a page shows."""
    return re.findall(r"<li><code>([a-z2-7-]+)</code>", answer.content.decode())
