"""Which accounts a billing run takes in: the filter as it is submitted, checked and stored."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts.callers import Caller
from accounts.kinds import PaymentMethodType
from accounts.models import Account, Client, Contact, PaymentMethod, Plan, PlanInstance
from billing_site.common.currencies import is_currency
from billing_site.common.members import unknown_name
from billing_site.common.places import country_code, is_region, region_code
from billing_site.common.written import day_of
from billing_site.errors import BillingError, Detail, ErrorCode
from invoices.kinds import RunMode
from invoices.models import RunFilter
from invoices.services.documents.rights import check_may_generate
from invoices.services.planning.facts import BILL_TO_ROLES

MOST_ACCOUNTS = 30_000
"""Values that a list in a filter may have: SQLite takes no more in one statement."""

MOST_NAMED = 10
"""Wrong values that one refusal names."""

NO_METHOD = "none"
"""Stands for accounts without a payment method."""


@dataclass(frozen=True)
class AccountFilter:
    """Accounts must match each part that is not empty. Within a part one value is enough.

    `accounts` are account numbers, `plans` plan numbers, `regions` a country and region as US-CA, `payment_methods` types of
    payment method, and "none" for accounts without one."""

    due_until: date | None = None
    bill_days: tuple[int, ...] = ()
    accounts: tuple[int, ...] = ()
    plans: tuple[int, ...] = ()
    currencies: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    payment_methods: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """The filter as a run stores it: only the parts that are not empty."""
        parts = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value}
        return {**parts, "due_until": self.due_until.isoformat()} if self.due_until else parts


NO_FILTER = AccountFilter()
"""All accounts that are due."""

NAMES = tuple(field.name for field in fields(AccountFilter))


def filter_values(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a stored filter as `read_filter` takes it, with every part."""
    return {name: stored.get(name, None if name == "due_until" else []) for name in NAMES}


def stored_filter(stored: Mapping[str, Any]) -> AccountFilter:
    """Return the filter that a run or a saved filter stores."""
    parts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    day = parts.pop("due_until", None)
    return AccountFilter(date.fromisoformat(day) if day else None, **parts)


def read_filter(client: Client, values: Mapping[str, Any]) -> AccountFilter:
    """Check a filter as it is submitted: each part a list of texts or numbers, `due_until` an ISO date.

    Accounts may be given by their numbers or the client's own ids, and plans by their numbers or client_plan_ids. What is
    named twice counts once. Refuses (1016) an unknown part or value, (1024) what is no date, and (1009) accounts that are
    unknown or of another client, each with the names of the first wrong values.
    """
    for name in values:
        if name not in NAMES:
            raise BillingError(
                ErrorCode.INVALID_INPUT, unknown_name(name, NAMES, what="Unknown filter"), field=name, instead=True
            )
    countries, wrong_countries = _read(_texts(values, "countries"), lambda text: country_code(text))
    regions, wrong_regions = _read(_texts(values, "regions"), _region)
    currencies, wrong_currencies = _read(
        _texts(values, "currencies"), lambda text: text.lower() if is_currency(text.lower()) else ""
    )
    methods, wrong_methods = _read(_texts(values, "payment_methods"), _method)
    days, wrong_days = _read(
        _texts(values, "bill_days"), lambda text: int(text) if text.isdecimal() and 1 <= int(text) <= 31 else 0
    )
    _refuse(countries=wrong_countries, regions=wrong_regions, currencies=wrong_currencies)
    _refuse(payment_methods=wrong_methods, bill_days=wrong_days)
    return AccountFilter(
        due_until=_date(values.get("due_until")),
        bill_days=days,
        accounts=_account_nos(client, _texts(values, "accounts")),
        plans=_plan_nos(client, _texts(values, "plans")),
        currencies=currencies,
        countries=countries,
        regions=regions,
        payment_methods=methods,
    )


def _texts(submitted: Mapping[str, Any], name: str) -> list[str]:
    values = submitted.get(name) or []
    if isinstance(values, str | Mapping) or not isinstance(values, Collection):
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("{name}: must be a list", name=name), field=name)
    if len(values) > MOST_ACCOUNTS:
        raise BillingError(
            ErrorCode.INVALID_INPUT,
            Detail("{name}: at most {most} values", name=name, most=MOST_ACCOUNTS),
            field=name,
        )
    texts = [str(value).strip() for value in values]
    return list(dict.fromkeys(text for text in texts if text))


def _read(texts: Iterable[str], read: Any) -> tuple[tuple[Any, ...], list[str]]:
    """The values of texts, each once, and the texts that have none."""
    values = {text: read(text) for text in texts}
    return tuple(dict.fromkeys(value for value in values.values() if value)), [text for text in values if not values[text]]


def _refuse(**wrong: Collection[str]) -> None:
    for name, texts in wrong.items():
        if texts:
            raise BillingError(
                ErrorCode.INVALID_INPUT, Detail("{name}: {listed} not valid", name=name, listed=first_named(texts)), field=name
            )


def first_named(texts: Collection[str]) -> Detail:
    """The first wrong values with their verb, for a refusal: "7 is", "7, 9 and 3 more are"."""
    more = len(texts) - MOST_NAMED
    named = ", ".join(list(texts)[:MOST_NAMED])
    if more > 0:
        return Detail("{names} and {count} more are", names=named, count=more)
    return Detail("{names} are", names=named) if len(texts) > 1 else Detail("{names} is", names=named)


def _region(text: str) -> str:
    """US-CA of "US-CA", "us-ca" and "USA-California"; empty where there is no such country or no such region."""
    named, _, region = text.partition("-")
    country = country_code(named)
    return f"{country}-{region_code(country, region)}" if country and region.strip() and is_region(country, region) else ""


def _method(text: str) -> str:
    return text if text in (*PaymentMethodType.values, NO_METHOD) else ""


def _date(value: Any) -> date | None:
    if not value or isinstance(value, date):
        return value or None
    try:
        return day_of(str(value))
    except ValueError:
        raise BillingError(ErrorCode.INVALID_DATE, Detail("due_until: {value}", value=value), field="due_until") from None


def _account_nos(client: Client, texts: Collection[str]) -> tuple[int, ...]:
    """A text that is both an account number and another account's own id means the account number."""
    found = numbers_by_text(Account.objects.filter(client=client), "client_acct_id", texts)
    unknown = [text for text in texts if text not in found]
    if unknown:
        raise BillingError(
            ErrorCode.ACCOUNT_NOT_FOUND, Detail("accounts: {listed} unknown", listed=first_named(unknown)), field="accounts"
        )
    return tuple(sorted(set(found.values())))


def _plan_nos(client: Client, texts: Collection[str]) -> tuple[int, ...]:
    found = numbers_by_text(Plan.objects.filter(client=client), "client_plan_id", texts)
    _refuse(plans=[text for text in texts if text not in found])
    return tuple(sorted(set(found.values())))


ASKED_AT_ONCE = 5000


def numbers_by_text(rows: QuerySet[Any], own_id: str, texts: Collection[str]) -> dict[str, int]:
    """The primary keys of rows by the texts that name them: by number or by the client's own id."""
    listed, found = list(texts), dict[str, int]()
    for at in range(0, len(listed), ASKED_AT_ONCE):
        some = listed[at : at + ASKED_AT_ONCE]
        numbers = [int(text) for text in some if text.isdecimal() and len(text) < 19]
        found |= dict(rows.filter(**{f"{own_id}__in": some}).values_list(own_id, "pk"))
        found |= {str(number): number for number in rows.filter(pk__in=numbers).values_list("pk", flat=True)}
    return {text: found[text] for text in listed if text in found}


def accounts_of_filter(client: Client, chosen: AccountFilter, mode: RunMode, today: date) -> QuerySet[Account]:
    """The accounts that a filter finds among those with a cycle to bill: due by today, or with RunMode.ADVANCE after today.

    `due_until` bounds their next bill dates."""
    rows: QuerySet[Account] = Account.objects.filter(client=client)
    last = chosen.due_until
    if mode == RunMode.ADVANCE:
        rows = rows.filter(next_bill_date__gt=today)
        rows = rows.filter(next_bill_date__lte=last) if last else rows
    else:
        rows = rows.filter(next_bill_date__lte=min(last, today) if last else today)
    if chosen.bill_days:
        rows = rows.filter(bill_day__in=chosen.bill_days)
    if chosen.accounts:
        rows = rows.filter(pk__in=chosen.accounts)
    if chosen.currencies:
        rows = rows.filter(currency__in=chosen.currencies)
    if chosen.plans:
        instances = PlanInstance.objects.filter(account=OuterRef("pk"), plan__in=chosen.plans, taken_off_on=None)
        rows = rows.filter(Exists(instances))
    if chosen.countries or chosen.regions:
        rows = _in_places(rows, chosen)
    if chosen.payment_methods:
        rows = rows.filter(_pays_by(chosen.payment_methods))
    return rows


def _in_places(rows: QuerySet[Account], chosen: AccountFilter) -> QuerySet[Account]:
    """Accounts whose billing contact, to which their invoices are addressed, is in one of the countries or regions."""
    places = [When(role=role, then=Value(place)) for place, role in enumerate(BILL_TO_ROLES)]
    contacts = Contact.objects.filter(account=OuterRef("pk")).order_by(Case(*places, output_field=IntegerField()), "contact_no")
    wanted = Q(billing_country__in=chosen.countries)
    for region in chosen.regions:
        country, _, code = region.partition("-")
        wanted |= Q(billing_country=country, billing_region=code)
    return rows.alias(
        billing_country=Subquery(contacts.values("country")[:1]), billing_region=Subquery(contacts.values("region")[:1])
    ).filter(wanted)


def _pays_by(types: Collection[str]) -> Q:
    methods = PaymentMethod.objects.filter(account=OuterRef("pk"))
    wanted = Q(Exists(methods.filter(type__in=types)))
    return wanted | ~Q(Exists(methods)) if NO_METHOD in types else wanted


def save_filter(*, client: Client, name: str, chosen: AccountFilter, caller: Caller) -> RunFilter:
    """Store a filter under a name. It replaces one of that name. Refuses (90009) a caller who may not generate."""
    check_may_generate(caller)
    if not name.strip() or len(name.strip()) > 100:
        raise BillingError(ErrorCode.INVALID_INPUT, Detail("name: must have 1 to 100 characters"), field="name")
    saved, _ = RunFilter.objects.update_or_create(client=client, name=name.strip(), defaults={"filter": chosen.stored()})
    return saved


def delete_filter(*, client: Client, name: str, caller: Caller) -> None:
    """Delete a saved filter. Runs keep theirs. Refuses (90009) who may not generate, and (1002) a name that is not saved."""
    check_may_generate(caller)
    deleted, _ = RunFilter.objects.filter(client=client, name=name).delete()
    if not deleted:
        raise BillingError(ErrorCode.NO_DATA, Detail("filter {name}", name=name), field="name")
