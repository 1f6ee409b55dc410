"""Worlds with the amounts of the public example invoices of EN 16931 (ConnectingEurope, ubl/examples), billed through our
doors. Names and numbers of companies are other ones, with valid check digits."""

from decimal import Decimal as D
from typing import NamedTuple

from accounts.kinds import ChargeType
from accounts.models import Account, Client
from accounts.rates import RateTerms
from accounts.services.prices import add_price
from invoices.models import Coupon, Invoice, Surcharge
from tests.support.billing import FEB_10, JAN_10, bill
from tests.support.coupons import redeem
from tests.support.factories import (
    ContactFactory,
    PlanFactory,
    ServiceFactory,
    TaxRateFactory,
    a_charge,
    a_plan,
    an_account,
)
from tests.support.memos import memo_of
from tests.support.money_api import post, with_key
from tests.support.payments import pay

TAX_IDS = {
    "NL": "NL004495445B01",
    "NO": "NO923609016MVA",
    "DK": "DK13585628",
    "SE": "SE556188840401",
    "HR": "HR33392005961",
    "BE": "BE0428759497",
    "IT": "IT00743110157",
}
FULL, HALF, FREE, SPLIT = "standard", "reduced", "exempt", "telecom"


class Sold(NamedTuple):
    """A line. A return has a rate below zero. `per` is the number of units that the price is of."""

    code: str
    units: str
    rate: str
    unit: str = "EA"
    category: str = FULL
    per: str = "1"
    list_rate: str = ""
    references: tuple[str, str, str] = ("", "", "")


class Beside(NamedTuple):
    """A charge on the document with its category, or an allowance with the services that it reduces."""

    name: str
    amount: str
    category: str = FULL
    codes: tuple[str, ...] = ()


class Example(NamedTuple):
    """An example and its amounts: totals are BT-106 to BT-110, BT-112, BT-113 and BT-115, without what is not there."""

    country: str
    currency: str
    rates: dict
    sold: tuple
    lines: tuple
    breakdown: tuple
    totals: tuple
    charges: tuple = ()
    allowances: tuple = ()
    paid: str = ""
    seller: dict = {}
    buyer: dict = {}
    exemption: str = ""
    credited: bool = False


S25 = {FULL: ("25", "S", "")}
DUTCH = {FULL: ("21", "S", ""), HALF: ("6", "S", "")}
DANISH = {FULL: ("25", "S", ""), HALF: ("12", "S", "")}
NORWEGIAN = {FULL: ("25", "S", ""), HALF: ("15", "S", ""), FREE: ("0", "E", "Exempt New Means of Transport")}

KITCHEN = (
    Sold("166022", "2", "9.95", category=HALF),
    Sold("661813", "1", "9.85", category=HALF),
    Sold("438146", "1", "8.29", category=HALF),
    Sold("438103", "2", "7.23", category=HALF),
    Sold("666955", "1", "35.00", category=HALF),
    Sold("664871", "1", "35.00", category=HALF),
    Sold("350257", "1", "10.65", category=HALF),
    Sold("350258", "1", "1.55", category=HALF),
    Sold("999998", "3", "4.79", category=HALF),
    Sold("740810", "1", "8.29", category=HALF),
    Sold("740829", "2", "8.29", category=HALF),
    Sold("740828", "1", "9.95", category=HALF),
    Sold("740827", "2", "1.65", category=HALF),
    Sold("999996", "1", "10.80"),
    Sold("999995", "1", "3.90", category=HALF),
    Sold("102172", "2", "3.80"),
    Sold("999994", "2", "4.67"),
    Sold("999993", "1", "18.63"),
    Sold("999992", "6", "17.02", category=HALF),
    Sold("175137", "6", "-18.33", category=HALF),
)
OF_KITCHEN = Example(
    "NL",
    "eur",
    DUTCH,
    KITCHEN,
    (
        *("19.90", "9.85", "8.29", "14.46", "35.00", "35.00", "10.65", "1.55", "14.37", "8.29", "16.58", "9.95", "3.30"),
        *("10.80", "3.90", "7.60", "9.34", "18.63", "102.12", "-109.98"),
    ),
    (("S", "21", "46.37", "9.74"), ("S", "6", "183.23", "10.99")),
    ("229.60", None, None, "229.60", "20.73", "250.33", None, "250.33"),
)
OF_CONVENTION = Example(
    "NO",
    "nok",
    NORWEGIAN,
    (
        Sold("JB007", "2", "636.50", per="2", references=("1", "BookingCode001", "")),
        Sold("JB008", "1", "-3.96", category=HALF, references=("5", "BookingCode002", "")),
        Sold("JB009", "2", "2.48", category=HALF, references=("3", "BookingCode003", "")),
        Sold("JB010", "1", "-25.00", category=FREE, references=("2", "BookingCode004", "")),
        Sold("JB011", "250", "0.75", unit="MTR", references=("", "BookingCode005", "")),
    ),
    ("1273.00", "4.96", "187.50", "-3.96", "-25.00"),
    (("E", "0", "-25.00", "0.00"), ("S", "15", "1.00", "0.15"), ("S", "25", "1460.50", "365.13")),
    ("1436.50", "100.00", "100.00", "1436.50", "365.28", "1801.78", "1000.00", "801.78"),
    charges=(Beside("Freight", "100.00"),),
    allowances=(Beside("Promotion discount", "100.00", codes=("JB007", "JB011")),),
    paid="1000.00",
    seller={
        "party_numbers": "0088:4012345000009",
        "payee_name": "Ebeneser AS",
        "representative_name": "Tax handling company AS",
        "representative_tax_id": "NO923609016MVA",
        "representative_country": "NO",
    },
    buyer={
        "party_number": "0088:4000001123452",
        "accounting_reference": "Project cost code 123",
        "contract_reference": "Contract321",
        "supporting_reference": "Doc1",
        "supporting_description": "Timesheet",
        "supporting_link": "https://supplier.example/sheet001.html",
        "delivery_location": "0088:4012345000009",
    },
)
PAPER = (
    Sold("JB007", "1000", "1.00"),
    Sold("JB008", "100", "5.00"),
    Sold("JB009", "500", "5.00", category=HALF),
)
OF_PAPER = Example(
    "DK",
    "dkk",
    DANISH,
    PAPER,
    ("1000.00", "500.00", "2500.00"),
    (("S", "12", "2500.00", "300.00"), ("S", "25", "1500.00", "375.00")),
    ("4000.00", None, None, "4000.00", "675.00", "4675.00", None, "4675.00"),
)
OF_POWER = Example(
    "DK",
    "dkk",
    S25,
    (Sold("12345", "1", "625743.54", unit="KWH", references=("", "n/a", "")),),
    ("625743.54",),
    (("S", "25", "625743.54", "156435.89"),),
    ("625743.54", None, None, "625743.54", "156435.89", "782179.43", None, "782179.43"),
    buyer={"contract_reference": "12345", "buyer_reference": "n/a", "accounting_reference": "n/a"},
)

EXAMPLES = {
    "ubl-tc434-example1": OF_KITCHEN,
    "ubl-tc434-example2": OF_CONVENTION,
    "ubl-tc434-example3": Example(
        "DK",
        "dkk",
        {FULL: ("25", "S", ""), HALF: ("10", "S", "")},
        (Sold("paper", "2", "400.00", per="2"), Sold("paper-2", "2", "400.00", per="2", category=HALF)),
        ("800.00", "800.00"),
        (("S", "10", "800.00", "80.00"), ("S", "25", "900.00", "225.00")),
        ("1600.00", None, "100.00", "1700.00", "305.00", "2005.00", None, "2005.00"),
        charges=(Beside("Freight charge", "100.00"),),
        buyer={"contract_reference": "SUBSCR571"},
    ),
    "ubl-tc434-example4": OF_PAPER,
    "ubl-tc434-example5": OF_PAPER._replace(
        sold=(PAPER[0]._replace(list_rate="1.10"), *PAPER[1:]),
        totals=("4000.00", "150.00", "150.00", "4000.00", "675.00", "4675.00", "2337.50", "2337.50"),
        charges=(Beside("Packaging", "150.00"),),
        allowances=(Beside("Loyal customer", "150.00", codes=("JB007", "JB008")),),
        paid="2337.50",
        seller={"tax_currency": "eur", "tax_currency_rates": "DKK 0.9312889", "payee_name": "Dagobert Duck"},
        buyer={
            "buyer_reference": "qwerty",
            "sales_order_reference": "123",
            "despatch_reference": "5433",
            "receiving_reference": "3544",
            "tender_reference": "Lot567",
            "contract_reference": "2013-05",
            "object_reference": "ATS:OBJ999",
            "project_reference": "Project345",
            "accounting_reference": "67543",
        },
    ),
    "ubl-tc434-example6": OF_PAPER,
    "ubl-tc434-example7": Example(
        "SE",
        "sek",
        {},
        (Sold("RT3000", "1", "2500.00", references=("1", "", "")), Sold("REG", "1", "700.00")),
        ("2500.00", "700.00"),
        (("O", None, "3200.00", "0.00"),),
        ("3200.00", None, None, "3200.00", "0.00", "3200.00", None, "3200.00"),
        seller={"party_numbers": "5532331183"},
        exemption="Tax",
    ),
    "ubl-tc434-example8": Example(
        "NL",
        "eur",
        DUTCH,
        (
            Sold("transport", "16000", "0.0088", unit="KWH"),
            Sold("system", "16000", "0.00101", unit="KWH"),
            Sold("contract", "132", "1.27", unit="KWT", per="12"),
            Sold("maximum", "58", "1.53", unit="KWT"),
            Sold("standing", "1", "36.75", unit="MON", per="12"),
            Sold("connection", "1", "56.50", unit="MON", per="12"),
            Sold("transformer", "1", "83.34", unit="MON"),
            Sold("switchgear", "1", "190.31", unit="MON"),
            Sold("devices", "1", "64.21", unit="MON"),
            Sold("meters", "1", "64.46", unit="MON"),
        ),
        ("140.80", "16.16", "167.64", "88.74", "36.75", "56.50", "83.34", "190.31", "64.21", "64.46"),
        (("S", "21", "908.91", "190.87"),),
        ("908.91", None, None, "908.91", "190.87", "1099.78", None, "1099.78"),
        buyer={"object_reference": "ATS:871694831000290806"},
    ),
    "ubl-tc434-example9": Example(
        "NL",
        "eur",
        DUTCH,
        (Sold("iexpress", "3", "49.00", unit="MON"),),
        ("147.00",),
        (("S", "21", "147.00", "30.87"),),
        ("147.00", None, None, "147.00", "30.87", "177.87", None, "177.87"),
        buyer={"contract_reference": "iExpress 20110412"},
    ),
    "ubl-tc434-example10": OF_KITCHEN._replace(seller={"tax_currency": "sek", "tax_currency_rates": "EUR 96.5137"}),
    "ubl-tc434-creditnote1": Example(
        "BE",
        "eur",
        {FREE: ("0", "E", "Taxes are not applicable")},
        (Sold("V55", "1", "100.11", unit="C62", category=FREE),),
        ("100.11",),
        (("E", "0", "100.11", "0.00"),),
        ("100.11", None, None, "100.11", "0.00", "100.11", None, "100.11"),
        buyer={"buyer_reference": "018304 / 28865"},
        credited=True,
    ),
    "BIS3_Invoice_positive": OF_POWER,
    "BIS3_Invoice_negativ": OF_POWER._replace(credited=True),
    "FT G2G_TD01 con Allegato, Bonifico e Split Payment": Example(
        "IT",
        "eur",
        {SPLIT: ("22", "B", "")},
        (Sold("689910", "20", "62.30", unit="C62", category=SPLIT, references=("", "B09.01.068", "ABT:229032/B")),),
        ("1246.00",),
        (("B", "22", "1246.00", "274.12"),),
        ("1246.00", None, None, "1246.00", "274.12", "1520.12", "274.12", "1246.00"),
        paid="274.12",
        buyer={"buyer_reference": "110#2020-02-05#ABCDEF"},
    ),
    "guide-example1": OF_KITCHEN,
    "guide-example2": OF_CONVENTION,
    "guide-example3": Example(
        "DK",
        "dkk",
        S25,
        (Sold("paper", "2", "200.00", per="4"), Sold("paper-2", "2", "200.00", per="4")),
        ("400.00", "400.00"),
        (("S", "25", "900.00", "225.00"),),
        ("800.00", None, "100.00", "900.00", "225.00", "1125.00", None, "1125.00"),
        charges=(Beside("Freight charge", "100.00"),),
        buyer={"contract_reference": "SUBSCR571"},
    ),
    "issue116": Example(
        "SE",
        "sek",
        {FULL: ("25", "S", ""), HALF: ("12", "S", ""), "internet": ("6", "S", ""), FREE: ("0", "E", "Skatteundantag")},
        (
            Sold("newspaper", "1", "100", category="internet"),
            Sold("food", "1", "50", category=HALF),
            Sold("food-2", "1", "150", category=HALF),
            Sold("petrol", "1", "400"),
        ),
        ("100.00", "50.00", "150.00", "400.00"),
        (
            ("E", "0", "0.00", "0.00"),
            ("S", "12", "200.00", "24.00"),
            ("S", "25", "400.00", "100.00"),
            ("S", "6", "100.00", "6.00"),
        ),
        ("700.00", "1.00", "1.00", "700.00", "130.00", "830.00", None, "830.00"),
        charges=(Beside("Standard charge", "1.00", FREE),),
        allowances=(Beside("Discount1", "1.00", codes=("standard charge",)),),
        buyer={"buyer_reference": "Buyer reference"},
    ),
    "sample-discount-price": Example(
        "HR",
        "eur",
        S25,
        (Sold("stavka", "100", "0.1212", list_rate="0.1234"),),
        ("12.12",),
        (("S", "25", "12.12", "3.03"),),
        ("12.12", None, None, "12.12", "3.03", "15.15", None, "15.15"),
    ),
}


def billed_example(client, example, process):
    """Bill an example: by a one-off invoice over REST, or by a cycle if coupons or an own price apply. Return the document."""
    seller = _seller(client, example)
    services = {one.code: _service(seller, one) for one in example.sold}
    for one in example.charges:
        fee = ServiceFactory(client=seller, client_service_id=one.name.lower(), name=one.name, tax_category=one.category)
        services[fee.client_service_id] = fee
        amount = {"amount": D(one.amount), "currency": example.currency, "valid_from": JAN_10}
        Surcharge.objects.create(client=seller, service=fee, name=one.name, **amount)
    account = _account(seller, example, services, process)
    api = with_key(seller)
    if example.paid:
        pay(account, process, example.paid, today=JAN_10)
    ordered = [_charge(one, services) for one in example.sold if not one.list_rate]
    if example.allowances or any(one.list_rate for one in example.sold):
        for one in ordered:
            post(api, "one-time-charges", {"acct_no": account.pk, "charge_date": "2026-01-10", **one}, 201)
        for place, one in enumerate(example.allowances):
            amount = {"amount": D(one.amount), "currency": example.currency, "valid_from": JAN_10}
            coupon = Coupon.objects.create(client=seller, code=f"C{place}", name=one.name, **amount)
            coupon.services.set([services[code] for code in one.codes])
            redeem(account, coupon.code)
        has_own_price = any(one.list_rate for one in example.sold)
        document = bill(Account.objects.get(pk=account.pk), process, JAN_10 if has_own_price else FEB_10)
    else:
        answer = post(api, "invoices/one_off", {"acct_no": account.pk, "charges": ordered}, 201)
        document = Invoice.objects.get(pk=answer["invoice_no"])
    return memo_of(document, process, today=FEB_10) if example.credited else document


def _seller(client, example):
    """The company, with its rates."""
    Client.objects.filter(pk=client.pk).update(country=example.country, tax_ids=TAX_IDS[example.country], **example.seller)
    client.refresh_from_db()
    for category, (percent, vat_category, reason) in example.rates.items():
        terms = {"percent": D(percent), "vat_category": vat_category, "exemption_reason": reason}
        rate = TaxRateFactory.build(client=client, name="VAT", country=example.country, region="", category=category, **terms)
        rate.full_clean()
        rate.save()
    client.full_clean()
    return client


def _service(client, sold):
    service = ServiceFactory(client=client, client_service_id=sold.code, name=sold.code, tax_category=sold.category)
    service.unit_code, service.price_units = sold.unit, D(sold.per)
    service.full_clean()
    service.save()
    return service


def _account(client, example, services, process):
    """The customer. It has a plan that charges nothing, or one with the list prices and its own price."""
    listed = [one for one in example.sold if one.list_rate]
    if listed:
        plan = a_plan(client, {one.code: one.list_rate for one in listed}, currency=example.currency)
    else:
        plan = PlanFactory(client=client)
        a_charge(plan, "calls", "1", ChargeType.USAGE, currency=example.currency)
    account = an_account(client, plan, contact=False, currency=example.currency)
    instance = account.plan_instances.get()
    for one in listed:
        account.plan_instances.update(units=D(one.units))
        charge = plan.charges.get(service=services[one.code])
        add_price(charge, RateTerms(example.currency, D(one.rate), valid_from=JAN_10), instance, caller=process)
    ContactFactory(account=account, country=example.country, region="", city="Anytown", company="Buyer")
    fields = {"tax_id": TAX_IDS[example.country], **example.buyer}
    if example.exemption:
        fields |= {"tax_exemption": "not_subject", "tax_exemption_reason": example.exemption}
    Account.objects.filter(pk=account.pk).update(**fields)
    account.refresh_from_db()
    account.full_clean()
    return account


def _charge(sold, services):
    order_line, accounting_reference, object_reference = sold.references
    return {
        "service": services[sold.code].pk,
        "units": sold.units,
        "rate_per_unit": sold.rate,
        "order_line": order_line,
        "accounting_reference": accounting_reference,
        "object_reference": object_reference,
    }
