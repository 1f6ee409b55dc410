"""How the site is served: over https in production, over plain http for development, its files from wherever they are."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "SECRET_KEY": "k9" * 40 + "abcdefghij",
    "ALLOWED_HOSTS": "billing.example.com",
    "SEAL_KEYS": "2026:" + "s7" * 20,
}
ASKED = ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "SECURE_PROXY_SSL_HEADER")


OF_ITS_OWN = ("DEBUG", "PRODUCTION", "VIRTUAL_CLOCK", "SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_ALLOW_ASYNC_UNSAFE")
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


@pytest.mark.parametrize(
    ("wrong", "number", "words"),
    [
        ({"DEBUG": "1"}, "E011", "DEBUG is on"),
        ({"ALLOWED_HOSTS": ""}, "E012", "ALLOWED_HOSTS does not name the hosts of the site"),
        ({"ALLOWED_HOSTS": "*"}, "E012", "ALLOWED_HOSTS does not name the hosts of the site"),
        ({"SECRET_KEY": ""}, "E013", "SECRET_KEY is not set, is an example, or has less than 50 letters"),
        ({"SECRET_KEY": "django-insecure-" + "x9" * 30}, "E013", "SECRET_KEY is not set, is an example"),
        ({"VIRTUAL_CLOCK": "1"}, "E014", "VIRTUAL_CLOCK is on"),
    ],
)
def test_what_is_not_for_production_is_found_and_does_not_start(wrong, number, words):
    environment = {"VIRTUAL_CLOCK": "0", **PRODUCTION, **wrong}
    checked = manage("check", "--deploy", "--fail-level", "ERROR", **environment)
    assert checked.returncode == 1 and f"(billing.{number}) {words}" in checked.stderr
    started = manage("check", **environment, PRODUCTION="1")
    assert started.returncode == 1 and f"ImproperlyConfigured: PRODUCTION is on. {words}" in started.stderr


def test_what_is_for_production_starts():
    result = manage("check", **PRODUCTION, PRODUCTION="1")
    assert result.returncode == 0, result.stderr


UNITS = sorted((ROOT / "deploy/systemd").iterdir())


def test_units_of_systemd_are_right_and_hardened(tmp_path):
    """Their programs are not installed here, so others stand in for them."""
    assert [unit.name for unit in UNITS] == [
        "billing-backup.service",
        "billing-backup.timer",
        "billing-web.service",
        "billing-worker.service",
    ]
    services = [unit for unit in UNITS if unit.suffix == ".service"]
    for unit in services:
        text = unit.read_text()
        for line in ("User=billing", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "PrivateTmp=yes"):
            assert f"\n{line}\n" in text, (unit.name, line)
        assert "Environment=PRODUCTION=1 " in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for unit in UNITS:
        text = re.sub(r"^(ExecStart(?:Pre)?=)\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(re.sub(r"^WorkingDirectory=.*$", "WorkingDirectory=/", text, flags=re.MULTILINE))
    for unit in services:
        path = str(tmp_path / unit.name)
        verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
        assert (verified.returncode, verified.stderr) == (0, ""), unit.name
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", path]
        exposed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert exposed.returncode == 0, exposed.stdout.splitlines()[-1]


def test_commands_of_units_exist():
    named = re.findall(r"manage\.py (\w+)", "".join(unit.read_text() for unit in UNITS))
    assert named and set(named) <= set(get_commands())


@pytest.mark.parametrize(("name", "comment", "ends"), [("nginx.conf", "#", (";", "{", "}")), ("Caddyfile", "#", None)])
def test_examples_of_proxies_are_whole(name, comment, ends):
    """Each block is closed, and each directive of nginx ends. The program itself checks more where it is installed."""
    text = (ROOT / "deploy" / name).read_text()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(comment)]
    depth = 0
    for line in lines:
        assert ends is None or line.endswith(ends), line
        depth += line.count("{") - line.count("}")
        assert depth >= 0, line
    assert depth == 0
    assert "127.0.0.1:8000" in text and "billing.example.com" in text and "/metrics" in text
    if name == "nginx.conf":
        assert "X-Forwarded-For $remote_addr;" in text and "X-Forwarded-Proto $scheme;" in text
    elif shutil.which("caddy"):
        command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(ROOT / "deploy" / name)]
        assert subprocess.run(command, check=False).returncode == 0
