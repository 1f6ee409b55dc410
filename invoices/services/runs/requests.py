"""What a person or program has chosen for a billing run: a filter of its own, a saved one, or that of a dry run."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from accounts.models import Client
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import RunMode
from invoices.models import BillingRun, RunFilter
from invoices.services.runs.account_lists import read_strict_filter
from invoices.services.runs.filters import NO_FILTER, AccountFilter, stored_filter


class Chosen(NamedTuple):
    """The filter and mode of a run that is to be planned."""

    chosen: AccountFilter
    mode: RunMode


def choose(
    client: Client,
    *,
    values: Mapping[str, Any] | None = None,
    saved: str | None = None,
    dry_run: BillingRun | None = None,
    mode: RunMode | None = None,
) -> Chosen:
    """Return the filter and mode of a new run. One that is compared with a dry run has the filter and mode of the dry run.

    Refuses (1016) more than one source of the filter, or another mode than the dry run's, (1002) a name that is not saved,
    and what `read_strict_filter` refuses.
    """
    if saved is not None and values is not None:
        raise BillingError(
            ErrorCode.INVALID_INPUT, Detail("filter_name: leave it out, or leave out filter"), field="filter_name"
        )
    if dry_run is not None:
        for name, value in (("filter", values), ("filter_name", saved), ("mode", mode)):
            if value is not None and value != dry_run.mode:
                detail = Detail(
                    "{name}: leave it out, the run gets that of the dry run {dry_run}", name=name, dry_run=dry_run.pk
                )
                raise BillingError(ErrorCode.INVALID_INPUT, detail, field=name)
        return Chosen(stored_filter(dry_run.filter), RunMode(dry_run.mode))
    if saved is not None:
        return Chosen(saved_filter(client, saved), mode or RunMode.AS_CONFIGURED)
    return Chosen(read_strict_filter(client, values) if values else NO_FILTER, mode or RunMode.AS_CONFIGURED)


def saved_filter(client: Client, name: str) -> AccountFilter:
    """Return the filter that the client has saved by a name. Refuses (1002) a name that is not saved."""
    found = RunFilter.objects.filter(client=client, name=name).first()
    if found is None:
        raise BillingError(ErrorCode.NO_DATA, Detail("filter {name}", name=name), field="filter_name")
    return stored_filter(found.filter)
