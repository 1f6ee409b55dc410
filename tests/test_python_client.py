"""The Python client of clients/python is written without a gap, can be built, and does what its README says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.keys import create_key
from invoices.models import Invoice
from tests.support.calling import RIGHTS
from tests.support.documentation import ROOT
from tests.support.factories import BY_TEST, a_plan, an_account

CLIENT = ROOT / "clients" / "python"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder with what the wheel of the client has."""
    folder = tmp_path_factory.mktemp("client")
    described = SchemaGenerator().get_schema(request=None, public=True)
    (folder / "schema.json").write_text(json.dumps(described))
    ran(
        folder,
        "openapi_python_client",
        "generate",
        "--path",
        "schema.json",
        "--config",
        str(CLIENT / "config.yaml"),
        "--meta",
        "uv",
        "--fail-on-warning",
        "--output-path",
        "package",
    )
    ran(folder, "uv", "build", "--wheel", "--offline", "--out-dir", "dist", "package")
    (wheel,) = (folder / "dist").glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def ran(folder: Path, *command: str, **environment: str) -> str:
    begin = [] if command[0].endswith(".py") else ["-m"]
    done = subprocess.run(
        [sys.executable, *begin, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.django_db(transaction=True)
def test_the_program_of_its_readme_generates_approves_and_rebills(installed, acme, live_server, tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.S)
    (tmp_path / "main_job.py").write_text(program)
    first, second = (an_account(acme, a_plan(acme, {name: "30.00"})) for name in ("phone", "tv"))
    auth_key = create_key(acme, name="x", **dict.fromkeys(RIGHTS, True), caller=BY_TEST)[1]
    said = ran(
        tmp_path,
        "main_job.py",
        PYTHONPATH=str(installed),
        SITE=live_server.url,
        CLIENT_NO=str(acme.pk),
        AUTH_KEY=auth_key,
        ACCOUNTS=f"{first.pk},{second.pk}",
    )
    numbers = list(Invoice.objects.filter(kind="recurring").order_by("pk").values_list("pk", flat=True))
    assert said.splitlines()[:2] == [f"{number} approved" for number in numbers]
    assert said.splitlines()[2].endswith("15.00 instead of 30.00")
    totals = Invoice.objects.filter(status="approved").order_by("kind", "pk").values_list("kind", "total_amount")
    assert list(totals) == [("credit_memo", -30), ("rebill", 15), ("recurring", 30), ("recurring", 30)]
