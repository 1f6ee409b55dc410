"""compose.yaml and the Containerfile: what they name is there. Building the image needs Docker, and is not done here."""

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
CONTAINERFILE = (ROOT / "Containerfile").read_text()
OF_THE_PROGRAM = {"migrate", "web", "worker", "beat"}
OF_COMPOSE_ONLY = {"POSTGRES_PASSWORD", "DATABASE_HOST", "WORKER_PROCESSES", "PORT"}
"""Variables that the program does not read. docs/how-to/grow.md names them."""


def documented_settings():
    rows = (ROOT / "docs/reference/settings.md").read_text().splitlines()
    return {name for row in rows if row.startswith("| `") for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}


def test_the_services_are_those_of_a_whole_installation():
    assert set(SERVICES) == {*OF_THE_PROGRAM, "postgres", "redis", "pgbouncer"}
    assert {name for name in SERVICES if "profiles" in SERVICES[name]} == {"pgbouncer"}
    assert set(COMPOSE["volumes"]) == {"documents", "postgres"}


@pytest.mark.parametrize("service", sorted(OF_THE_PROGRAM))
def test_services_of_the_program_have_documented_settings_only(service):
    assert set(SERVICES[service]["environment"]) - documented_settings() == set()
    assert SERVICES[service]["environment"]["EXECUTOR"] == "celery"


def test_what_is_read_from_the_environment_is_documented():
    read = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    guide = (ROOT / "docs/how-to/grow.md").read_text()
    assert read - documented_settings() == OF_COMPOSE_ONLY
    assert {name for name in OF_COMPOSE_ONLY if f"`{name}`" not in guide} == set()


def test_no_secret_has_a_default():
    text = (ROOT / "compose.yaml").read_text()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        assert f"{name}:?" in text and f"{name}:-" not in text
    assert "SECRET_KEY=" not in CONTAINERFILE.replace("SECRET_KEY=of-the-build", "")


@pytest.mark.parametrize("service", sorted(OF_THE_PROGRAM - {"web"}))
def test_commands_of_services_exist(service):
    program, *arguments = SERVICES[service]["command"]
    if program == "python":
        assert (ROOT / arguments[0]).is_file() and arguments[1] in get_commands()
    else:
        scripts = {point.name for point in distribution(program).entry_points if point.group == "console_scripts"}
        assert program in scripts and arguments[:2] == ["-A", "billing_site"]
        from celery.bin.celery import celery

        command = celery.commands[arguments[2]]
        options = {text for one in command.params for text in (*one.opts, *one.secondary_opts)}
        assert {one for one in arguments[3:] if one.startswith("--")} <= options


def test_the_image_serves_the_site_by_what_it_installs():
    command = re.search(r'^CMD \["(\w+)", "([\w.]+)"', CONTAINERFILE, re.MULTILINE)
    assert command and command.groups() == ("gunicorn", "billing_site.wsgi")
    for file in re.findall(r"requirements/\w+\.txt", CONTAINERFILE):
        pinned = (ROOT / file).read_text()
        assert re.search(r"^gunicorn==", pinned, re.MULTILINE), file
    assert re.search(r"^celery==", (ROOT / "requirements/celery.txt").read_text(), re.MULTILINE)
    assert "--require-hashes" in CONTAINERFILE and re.search("^USER billing$", CONTAINERFILE, re.MULTILINE)


def test_all_that_the_program_needs_is_copied_into_the_image():
    copied = {path for line in re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE) for path in line.split()}
    assert all((ROOT / path).exists() for path in copied)
    apps = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert apps | {"manage.py", "templates", "locale"} <= copied


def test_services_wait_for_what_they_need():
    for service in OF_THE_PROGRAM - {"migrate"}:
        assert SERVICES[service]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert all("healthcheck" in SERVICES[service] for service in ("web", "worker", "postgres", "redis"))
    probe = " ".join(SERVICES["web"]["healthcheck"]["test"])
    assert "livez" in probe and "readyz" in probe


def test_the_image_runs_without_rights_and_changes_nothing_in_itself():
    for service in OF_THE_PROGRAM:
        found = SERVICES[service]
        assert found["read_only"] is True and found["tmpfs"] == ["/tmp"] and found["cap_drop"] == ["ALL"]
        assert found["security_opt"] == ["no-new-privileges:true"]
        assert found["environment"]["PRODUCTION"] == "1"
        assert found["build"] == {"context": ".", "dockerfile": "Containerfile"}
    assert SERVICES["beat"]["command"][-2:] == ["--schedule", "/tmp/celerybeat-schedule"]
    (written,) = re.findall(r"^ENV (DOCUMENTS_FOLDER=.+)$", CONTAINERFILE, re.MULTILINE)
    assert all(place.split("=")[1].startswith("/documents/") for place in written.split())
    assert re.search("^VOLUME /documents$", CONTAINERFILE, re.MULTILINE)
    assert re.search(r"^FROM python:[\d.]+-slim-\w+$", CONTAINERFILE, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*\\\n +CMD .*livez", CONTAINERFILE, re.MULTILINE)
