"""The wheel: the same bytes each time, and all that the program needs, in an environment that does not have the checkout."""

import os
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def built(folder):
    """Build the wheel into a folder, and return its path."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1767225600"}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return a function that runs the installed command in an empty folder. The packages it needs are those of the tests."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place / "venv", symlinks=True)
    (packages,) = (place / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    installer = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--python"]
    subprocess.run([*installer, str(place / "venv/bin/python"), str(wheel)], check=True, capture_output=True)
    (place / "work").mkdir()
    kept = {"PATH": os.environ["PATH"], "HOME": str(place)}

    def run(*arguments, **environment):
        command = [str(place / "venv/bin/billing-back-office"), *arguments]
        return subprocess.run(
            command, cwd=place / "work", env={**kept, **environment}, check=False, capture_output=True, text=True
        )

    run.folder = place / "work"
    return run


def test_the_same_source_gives_the_same_bytes(wheel, tmp_path):
    time.sleep(2.1)  # Times in a wheel are even seconds.
    assert sha256(built(tmp_path).read_bytes()).hexdigest() == sha256(wheel.read_bytes()).hexdigest()


def test_what_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"billing_site/{path.relative_to(ROOT)}"
        for folder in ("templates", "data")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    expected |= {
        str(path.relative_to(ROOT))
        for app in ("billing_site", "accounts", "invoices", "rebills")
        for path in (ROOT / app).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"billing_site/locale/de/LC_MESSAGES/django.{suffix}" for suffix in ("po", "mo")}
    own = {name for name in names if ".dist-info/" not in name}
    assert own == expected
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_demo_runs_from_the_wheel(installed):
    result = installed("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Every figure is right. `DATABASE_URL=sqlite:///demo.sqlite3 DEBUG=1 billing-back-office work" in result.stdout
    assert {path.name for path in installed.folder.iterdir()} >= {"demo.sqlite3", "demo_documents", ".secret_key"}


def test_pages_texts_and_files_come_from_the_wheel(installed):
    script = (
        "from django.test import Client; import billing_site; print(billing_site.__file__);"
        "print('Anmelden' in Client(HTTP_HOST='localhost', headers={'accept-language': 'de'}).get('/login/').text);"
        "print(Client(HTTP_HOST='localhost').get('/static/backoffice/backoffice.css').status_code)"
    )
    result = installed("shell", "--no-imports", "-c", script)
    assert result.returncode == 0, result.stderr
    module, german, style = result.stdout.splitlines()
    assert "site-packages" in module and (german, style) == ("True", "200")
