"""Tax ids, IBANs and BICs are checked by the rules of their countries, and kept in one spelling at every door."""

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import company_numbers
from accounts.models import Account, Client, Contact
from tests.support.accounts_api import create, with_key, wrong
from tests.support.admin_pages import page_url
from tests.support.factories import AccountFactory, ContactFactory


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("DE 136 695 976", "DE136695976"),
        ("atu57194903", "ATU57194903"),
        ("EL 094259216", "EL094259216"),
        ("XI 980 7806 84", "XI980780684"),
        ("CHE-107.787.577 IVA", "CHE107787577IVA"),
        ("NO 995 525 828 MVA", "NO995525828MVA"),
        ("AU 83 914 571 673", "AU83914571673"),
        ("KW 12345", "KW12345"),
    ],
)
def test_tax_ids_have_one_spelling(given, kept):
    assert company_numbers.tax_id(given) == kept


@pytest.mark.parametrize("text", ["DE136695978", "136695976", "QQ123", "DE", "FR12", "EL1", "GB 123 4567 89"])
def test_wrong_tax_ids_are_refused(text):
    with pytest.raises(ValidationError, match=text):
        company_numbers.tax_id(text)


def test_the_tax_id_of_the_customers_country_is_printed():
    numbers = company_numbers.tax_ids("de 136695976,ATU57194903 , EL094259216")
    assert numbers == "DE136695976, ATU57194903, EL094259216"
    assert company_numbers.tax_id_for(numbers, ("AT", "DE")) == "ATU57194903"
    assert company_numbers.tax_id_for(numbers, ("GR", "DE")) == "EL094259216"
    assert company_numbers.tax_id_for(numbers, ("FR", "DE")) == "DE136695976"
    assert company_numbers.tax_id_for(numbers, ("FR", "")) == "DE136695976"
    assert company_numbers.tax_id_for("", ("FR",)) == ""
    with pytest.raises(ValidationError, match="DE is there twice"):
        company_numbers.tax_ids("DE136695976, DE136695976")


def test_accounts_and_contacts_take_them_by_the_api(acme):
    api = with_key(acme)
    company = {
        "tax_id": "DE 136695976",
        "registration_number": "HRB 1234",
        "electronic_scheme": "9930",
        "electronic_address": "DE136695976",
        "buyer_reference": "04011000-12345-34",
    }
    account = create(api, "accounts", {"client_acct_id": "C-1", "currency": "eur", **company})
    assert {name: account[name] for name in company} == {**company, "tax_id": "DE136695976"}
    body = {"acct_no": account["acct_no"], "contact_no": 1, "name": "Ada", "tax_id": "ATU57194903"}
    assert create(api, "contacts", body)["tax_id"] == "ATU57194903"

    code, message, _ = wrong(api, "accounts", {"client_acct_id": "C-2", "currency": "eur", "tax_id": "DE136695978"})
    assert (code, message) == (1016, "invalid input: tax_id: DE136695978 is not a valid tax id of DE.")
    half = {"client_acct_id": "C-2", "currency": "eur", "electronic_scheme": "0088"}
    _, message, _ = wrong(api, "accounts", half)
    assert message == "invalid input: electronic_address: Give the electronic address together with its scheme."
    _, message, _ = wrong(api, "accounts", {**half, "electronic_scheme": "GLN", "electronic_address": "1"})
    assert "GLN is not a scheme of electronic addresses" in message
    assert Account.objects.count() == 1


def test_files_bring_them(acme, admin_client):
    AccountFactory(client=acme, client_acct_id="C-1")

    def tried(*lines):
        file = SimpleUploadedFile("rows.csv", "\n".join(lines).encode(), "text/csv")
        return admin_client.post(page_url(Account, "import"), {"import_file": file, "format": "0", "resource": ""})

    head = "client_no,client_acct_id,tax_id,buyer_reference"
    page = tried(head, f"{acme.pk},C-1,de 136 695 976,B-7")
    admin_client.post(page_url(Account, "process_import"), page.context["confirm_form"].initial)
    assert Account.objects.values_list("tax_id", "buyer_reference").get() == ("DE136695976", "B-7")
    page = tried(head, f"{acme.pk},C-1,DE136695978,B-7")
    assert "is not a valid tax id of DE" in page.content.decode()


def test_a_client_checks_its_bank(acme):
    acme.iban, acme.bic = "de89 3704 0044 0532 0130 00", "cobadeff"
    acme.full_clean()
    assert (acme.iban, acme.bic) == ("DE89370400440532013000", "COBADEFF")
    acme.iban = "DE88 3704 0044 0532 0130 00"
    with pytest.raises(ValidationError) as refused:
        acme.full_clean()
    assert refused.value.message_dict == {"iban": ["DE88 3704 0044 0532 0130 00 is not a valid IBAN."]}
    acme.iban = ""
    with pytest.raises(ValidationError) as refused:
        acme.full_clean()
    assert refused.value.message_dict == {"iban": ["Give the IBAN of the account at this bank."]}


def test_the_admin_has_them(acme, admin_client):
    ContactFactory(account=AccountFactory(client=acme))
    for row in (acme, Account.objects.get(), Contact.objects.get()):
        page = admin_client.get(page_url(type(row), "change", row.pk)).content.decode()
        names = ("legal_name", "iban", "tax_ids") if isinstance(row, Client) else ("tax_id", "buyer_reference")
        assert all(f'name="{name}"' in page for name in names)
