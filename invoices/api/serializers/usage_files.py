"""Usage records in a CSV file, read as the API reads records."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from accounts.importing.reading import read_rows, with_point
from accounts.models import Client
from billing_site.errors import BillingError, ErrorCode
from invoices.api.serializers.usage import UsageRecordSerializer, record_reader
from invoices.services.usage.loading import UsageResult, refused
from invoices.services.usage.targets import UsageRecord

REQUIRED_COLUMNS = ("record_id", "units", "used_at")


class UsageLine(NamedTuple):
    """A line of the file, as a record or as the refusal of an unreadable one."""

    number: int
    record: UsageRecord | UsageResult


def read_usage_file(client: Client, file: BinaryIO, *, decimal_comma: bool = False) -> Iterator[UsageLine]:
    """Yield the lines of a file whose first line names the columns. An empty cell counts as not sent.

    Raises UnreadableFile if a required column is missing, or one is repeated or unknown.
    """
    read = record_reader(client)
    for row in read_rows(file, REQUIRED_COLUMNS, list(UsageRecordSerializer().fields)):
        if row.fault:
            fault = BillingError(ErrorCode.INVALID_FORMAT, f"the line {row.fault}")
            yield UsageLine(row.line, refused(None, fault))
        else:
            cells = {column: value.strip() for column, value in row.values.items()}
            if decimal_comma and "units" in cells:
                cells["units"] = with_point(cells["units"])
            yield UsageLine(row.line, read({column: value for column, value in cells.items() if value}))
