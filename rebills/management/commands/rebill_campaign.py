"""manage.py rebill_campaign FILE.csv --client CLIENT_NO: build and preview a campaign from a file of changes.

The file has the columns invoice, line, field and value. Another person approves it in the back office or over the API.
"""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from accounts.callers import Caller
from accounts.kinds import CreditTo
from accounts.models import Client
from billing_site.common.written import decimal_of
from billing_site.errors import BillingError
from rebills.kinds import CampaignState, ItemState, Statements
from rebills.models import RebillCampaign
from rebills.services.campaigns.campaigns import (
    DEFAULT_OPTIONS,
    DONE_IN,
    CampaignOptions,
    continue_campaign,
    create_campaign,
    start_campaign,
)
from rebills.services.campaigns.figures import count_items, count_refused, sum_by_currency
from rebills.services.campaigns.files import read_line_values, rows_of_csv

CALLER = Caller(process="rebill_campaign")


class Command(BaseCommand):
    help = (
        "Builds a campaign from a CSV file with the columns invoice, line, field and value, and previews it; every wrong row "
        "is reported, and then nothing is created. With --run NUMBER it carries out a campaign that was approved."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", help="A CSV file: invoice,line,field,value.")
        parser.add_argument("--client", type=int, required=True, dest="client_no")
        parser.add_argument("--name", default="")
        parser.add_argument("--reason", type=int, default=1, dest="reason_code", help="The reason code of the rebills.")
        parser.add_argument("--comments", default="", help="Printed on each credit memo and rebill.")
        held = DEFAULT_OPTIONS.statements.value
        parser.add_argument("--statements", choices=Statements.values, default=held, help="When statements are sent.")
        parser.add_argument("--collect", action="store_true", help="Collect the amount due on each rebill.")
        parser.add_argument("--collect-limit", type=_amount, help="A rebill above this is not collected.")
        parser.add_argument("--collect-total-limit", type=_amount, help="At most this is collected in one currency.")
        due_date = "Whether rebills are due as their originals. Without it, the client's setting decides."
        parser.add_argument("--keep-due-date", choices=("yes", "no"), dest="keeps_due_date", help=due_date)
        freed = "Where payments go that rebills free. Without it, the client's setting decides."
        parser.add_argument("--credit-to", choices=CreditTo.values, default="", help=freed)
        parser.add_argument("--refund-limit", type=_amount, help="Above this, the money of a rebill is kept as credit.")
        parser.add_argument("--refund-total-limit", type=_amount, help="At most this is refunded in one currency.")
        parser.add_argument("--dry-run", action="store_true", help="Only check the rows of the file.")
        parser.add_argument("--run", type=int, dest="run_no", help="Carry out this campaign, which was approved.")

    def handle(self, *args: Any, client_no: int, file: Path | None, run_no: int | None, **options: Any) -> None:
        client = Client.objects.filter(pk=client_no).first()
        if client is None:
            raise CommandError(f"Client {client_no} does not exist.")
        if (file is None) is (run_no is None):
            raise CommandError("Give either a file or --run NUMBER.")
        try:
            if file is not None:
                self._build(client, file, options)
            else:
                self._run(client, run_no or 0)
        except BillingError as error:
            raise CommandError(str(error)) from error

    def _build(self, client: Client, file: Path, options: dict[str, Any]) -> None:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read as UTF-8: {error}") from error
        values = read_line_values(client, rows_of_csv(text))
        for one in values.wrong:
            self.stderr.write(f"row {one.row}: {one.why}")
        if values.wrong:
            raise CommandError(f"{len(values.wrong):,} rows cannot be used. Nothing was created.")
        if options["dry_run"]:
            self.stdout.write(f"{sum(map(len, values.changes.values())):,} changes of {len(values.changes):,} invoices.")
            return
        campaign = create_campaign(
            client=client,
            name=options["name"] or file.name[:100],
            changes=values.changes,
            options=_campaign_options(options),
            caller=CALLER,
        )
        carry_out(campaign, "Previewing")
        self.stdout.write(f"Campaign {campaign.pk} is previewed. Another person must approve it.")
        self._report(campaign)

    def _run(self, client: Client, number: int) -> None:
        campaign = RebillCampaign.objects.filter(client=client, pk=number).first()
        if campaign is None:
            raise CommandError(f"Campaign {number} does not exist.")
        if campaign.state == CampaignState.APPROVED:
            start_campaign(campaign, caller=CALLER)
        if campaign.state != CampaignState.RUNNING:
            raise CommandError(f"Campaign {number} is {campaign.state}. Only an approved one can be carried out.")
        carry_out(campaign, "Rebilling")
        self.stdout.write(f"Campaign {campaign.pk} is {campaign.state}.")
        self._report(campaign)

    def _report(self, campaign: RebillCampaign) -> None:
        for line in campaign_summary(campaign):
            self.stdout.write(line)


def _amount(text: str) -> Decimal:
    try:
        amount = decimal_of(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not an amount") from None
    if not (0 <= amount < 10**11 and amount == round(amount, 4)):
        raise ArgumentTypeError(f"{text} is not an amount of at most 15 digits, 4 of them decimals, and not below 0")
    return amount


def _campaign_options(given: Mapping[str, Any]) -> CampaignOptions:
    """Return the options of a campaign from those of the command, which have the same names."""
    chosen = {name: given[name] for name in CampaignOptions._fields}
    chosen["statements"] = Statements(given["statements"])
    chosen["keeps_due_date"] = {"yes": True, "no": False, None: None}[given["keeps_due_date"]]
    return CampaignOptions(**chosen)


def carry_out(campaign: RebillCampaign, what: str) -> None:
    """Preview or rebill what is left of a campaign, with a progress bar on standard error."""
    counts = count_items(campaign)
    left = next((counts[state] for state in DONE_IN.values() if counts.get(state)), 0)
    with tqdm(total=left, unit="invoice", desc=what, leave=False) as bar:
        continue_campaign(campaign, progress=bar.update)
    campaign.refresh_from_db()


def campaign_summary(campaign: RebillCampaign) -> list[str]:
    """Return lines about the documents of a campaign, counted from its items."""
    counts = count_items(campaign)
    lines = [f"{state.label:<34}{counts[state]:>10,}" for state in ItemState if counts.get(state)]
    lines += [f"  {one.documents:,} x {one.error_code} {one.message}" for one in count_refused(campaign)]
    for one in sum_by_currency(campaign):
        currency = one.currency.upper()
        lines += [
            f"total before     {one.total_before:>14,} {currency}",
            f"total after      {one.total_after:>14,} {currency}",
            f"difference       {one.difference:>14,} {currency}",
            f"kept as payment  {one.carried:>14,} {currency}",
            f"refunded         {one.refunded:>14,} {currency}",
            f"left as credit   {one.left_as_credit:>14,} {currency}",
            f"to be collected  {one.collected:>14,} {currency}",
        ]
    return lines
