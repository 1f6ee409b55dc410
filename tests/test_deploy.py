"""How the site is served: over https in production, over plain http for development, its files from wherever they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {"SECRET_KEY": "k9" * 40 + "abcdefghij", "ALLOWED_HOSTS": "billing.example.com"}
ASKED = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER")


OF_ITS_OWN = ("DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_ALLOW_ASYNC_UNSAFE")
"""What a production server is not to have from where the tests run, nor from the tests of the pages."""


def manage(*arguments, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in OF_ITS_OWN}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=False)


def settings_with(**environment):
    show = f"import json; from django.conf import settings; print(json.dumps([getattr(settings, name) for name in {ASKED}]))"
    result = manage("shell", "--no-imports", "-c", show, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_nothing_is_to_be_said_of_a_production_server():
    result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert result.returncode == 0, result.stderr


def test_production_is_served_over_https_only():
    assert settings_with(**PRODUCTION) == [True, True, True, 2592000, None]
    behind_a_proxy = settings_with(**PRODUCTION, TRUSTED_PROXY_COUNT="1", HSTS_SECONDS="60")
    assert behind_a_proxy == [True, True, True, 60, ["HTTP_X_FORWARDED_PROTO", "https"]]
    assert settings_with(**PRODUCTION, HTTPS="0") == [False, False, False, 0, None]


def test_development_and_a_first_try_are_served_over_plain_http():
    assert settings_with(DEBUG="1") == settings_with() == [False, False, False, 0, None]


def test_who_comes_over_http_is_sent_to_https_and_a_probe_is_answered(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    response = client.get("/admin/login/")
    assert (response.status_code, response["Location"]) == (301, "https://testserver/admin/login/")
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("collected", [True, False])
def test_the_files_of_the_pages_are_served(client, settings, tmp_path, collected):
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = not collected
    settings.STATIC_ROOT = tmp_path
    if collected:
        (tmp_path / "accounts").mkdir()
        (tmp_path / "accounts" / "admin.css").write_text("collected")
    response = client.get("/static/accounts/admin.css")
    assert response.status_code == 200
    assert (b"".join(response.streaming_content) == b"collected") is collected
