"""Under mixed load, fuzzed requests and killed workers nothing is said to be done that is not, and the audit is clean."""

import os
import subprocess
import sys

from accounts.keys import create_key
from accounts.rights import KEY_RIGHTS
from tests.drill import Drill
from tests.support.documentation import ROOT
from tests.support.factories import BY_TEST, ClientFactory, a_plan, an_account
from tests.support.served_work import read, served_with_worker

SECONDS = float(os.environ.get("DRILL_SECONDS", "25"))


def test_a_drill_leaves_no_wrong_answer_and_clean_books(transactional_db, tmp_path):
    client = ClientFactory()
    plan = a_plan(client, {"phone": "30.00"})
    accounts = [an_account(client, plan).pk for _ in range(40)]
    others = [an_account(client, plan) for _ in range(40)]
    _, auth_key = create_key(client, name="drill", caller=BY_TEST, **dict.fromkeys(KEY_RIGHTS, True))
    with served_with_worker(tmp_path) as (site, _supervisor):
        drill = Drill(site, client.pk, auth_key, accounts)
        drill.rest("/api/v1/billing-runs/", {"filter": {"accounts": [one.pk for one in others]}})
        drill.run(SECONDS)
        assert drill.wrong == []
        stored = dict(read(site, "SELECT id, account_id FROM invoices_invoice WHERE status = 'approved'"))
        assert {number: account for account, number in drill.invoiced.items()}.items() <= stored.items()
        references = [reference for (reference,) in read(site, "SELECT reference FROM invoices_payment")]
        assert drill.paid == set(references) and len(references) == len(set(references))
        assert drill.invoiced and drill.paid and drill.kills and drill.statuses[400]
    audit = subprocess.run(
        [sys.executable, "manage.py", "audit"], cwd=ROOT, env=site.environment, capture_output=True, text=True
    )
    assert audit.returncode == 0, audit.stdout[-2000:]
