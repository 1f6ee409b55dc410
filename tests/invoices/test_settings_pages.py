"""Pages of the settings: each setting with its effect, changes with their history, series, reasons and keys."""

import re

import pytest
from django.urls import reverse

from accounts import receipts
from accounts.keys import create_key, find_key
from accounts.models import ApiKey, Client, SettingsChange
from invoices.models import NumberSeries, ReasonCode
from invoices.services.lists.settings import SECTIONS
from tests.support.act_pages import send
from tests.support.dying import Died
from tests.support.factories import BY_TEST, ClientFactory
from tests.support.invoice_pages import administrator, reader
from tests.support.pending import a_pending

NOT_ON_PAGES = {
    "id": "is the number of the client",
    "logo": "is a file, which the admin takes",
    "clock_offset": "is moved over the API, outside production",
    "closed_through": "is moved by closing a period",
    "created_at": "never changes",
}


NOT_SENT = ("None", "False", "")


@pytest.fixture
def staff(acme):
    return administrator(acme)


def text_of(answer):
    return answer.content.decode()


def fields_of(staff, section, **changed):
    """Return what the form of a section sends, with other values for some fields."""
    page = staff.get(reverse("change-settings", args=[section]))
    form = page.context["form"]
    values = {name: form.initial.get(name) for name in form.fields}
    kept = {name: "on" if value is True else value for name, value in values.items() if f"{value}" not in NOT_SENT}
    for name in ("second_person_for", "second_factor_roles"):
        if name in kept:
            kept[name] = kept[name].split(",")
    return {**kept, **changed}


def test_every_setting_is_on_the_page_or_has_a_reason():
    columns = {field.name for field in Client._meta.concrete_fields}
    shown = [name for section in SECTIONS.values() for name in section.effects]
    assert len(shown) == len(set(shown))
    assert columns - set(shown) == set(NOT_ON_PAGES)


def test_each_setting_is_explained_with_its_effect_on_what_is_pending(acme, staff):
    a_pending(acme, BY_TEST)
    text = text_of(staff.get(reverse("settings")))
    assert "Number of days from approval to the due date." in text
    assert "The pending documents (1) keep what they have" in text
    assert "so also to the pending documents (1) when they are approved" in text


def test_a_change_is_seen_before_it_is_made_and_stays_in_the_history(acme, staff):
    address = reverse("change-settings", args=["billing"])
    fields = fields_of(staff, "billing", payment_terms_days="21")
    preview = text_of(staff.post(address, {**fields, "act": "preview"}))
    assert re.search(r"Payment terms in days.*?14.*?21", preview, re.S)
    assert "The settings are saved." in text_of(send(staff, address, **fields))
    acme.refresh_from_db()
    assert acme.payment_terms_days == 21
    history = text_of(staff.get(reverse("settings"))).partition('id="history"')[2]
    assert "Ana" in history and "14 → 21" in history


def test_two_who_change_a_section_at_once_keep_each_others_settings(acme, staff):
    address = reverse("change-settings", args=["billing"])
    opened = fields_of(staff, "billing")
    opened |= {f"initial-{name}": "True" if value == "on" else value for name, value in opened.items()}
    send(administrator(acme, "bob"), address, **{**opened, "payment_terms_days": "21"})
    preview = text_of(staff.post(address, {**opened, "time_zone": "Europe/Berlin", "act": "preview"}))
    assert "Europe/Berlin" in preview and not re.search(r"<td>21</td>", preview)
    send(staff, address, **{**opened, "time_zone": "Europe/Berlin"})
    acme.refresh_from_db()
    assert (acme.payment_terms_days, acme.time_zone) == (21, "Europe/Berlin")


def test_every_section_can_be_saved_as_it_is(acme, staff):
    before = Client.history.filter(id=acme.pk).count()
    for section in SECTIONS:
        answer = send(staff, reverse("change-settings", args=[section]), **fields_of(staff, section))
        assert "The settings are saved." in text_of(answer), section
    assert Client.history.filter(id=acme.pk).count() == before


def test_wrong_settings_are_refused_at_their_field(acme, staff):
    fields = fields_of(staff, "billing", time_zone="Mars/Base")
    answer = staff.post(reverse("change-settings", args=["billing"]), {**fields, "seen": "x", "once": "a" * 32})
    assert answer.status_code == 422 and "Mars/Base" in text_of(answer)
    fields = fields_of(staff, "documents", e_invoice="factur-x", e_invoice_profile="xrechnung")
    answer = staff.post(reverse("change-settings", args=["documents"]), {**fields, "act": "preview"})
    assert "Nothing was written" in text_of(answer) or "is-invalid" in text_of(answer)


def test_four_eyes_settings_are_proposed_and_another_confirms(acme, staff):
    fields = fields_of(staff, "approval", four_eyes="another_person")
    answer = text_of(send(staff, reverse("change-settings", args=["approval"]), **fields))
    assert "Proposed, not changed yet" in answer
    acme.refresh_from_db()
    assert acme.four_eyes == "off"
    change = SettingsChange.objects.get()
    page = staff.get(reverse("settings"))
    assert "Confirm the change" not in text_of(page)
    second = administrator(acme, "bob")
    assert "Confirm the change" in text_of(second.get(reverse("settings")))
    second.post(reverse("settings"), {"act": "confirm", "change": change.pk, "once": "b" * 32})
    acme.refresh_from_db()
    assert acme.four_eyes == "another_person"


def test_a_number_series_is_changed_and_never_doubles_a_number(acme, staff):
    assert "INV-000001" in text_of(staff.get(reverse("number-series")))
    send(staff, reverse("change-series", args=["invoice"]), prefix="R-{yyyy}-", suffix="")
    assert NumberSeries.objects.get(client=acme).prefix == "R-{yyyy}-"
    answer = staff.post(reverse("change-series", args=["credit_memo"]), {"prefix": "R-{yyyy}-", "act": "preview"})
    assert "Choose another prefix or suffix" in text_of(answer)
    assert staff.get(reverse("change-series", args=["nothing"])).status_code == 404


def test_reasons_are_added_and_taken_out_of_use(acme, staff):
    send(staff, reverse("new-reason"), type="refund", code="77", name="Late delivery")
    reason = ReasonCode.objects.get(client=acme)
    assert (reason.code, reason.type, reason.is_active) == (77, "refund", True)
    answer = staff.post(reverse("new-reason"), {"type": "refund", "code": "77", "name": "Again", "act": "preview"})
    assert "is-invalid" in text_of(answer) or "Nothing was written" in text_of(answer)
    send(staff, reverse("change-reason", args=[reason.pk]), name="Late delivery")
    reason.refresh_from_db()
    assert not reason.is_active
    common = ReasonCode.objects.filter(client=None).first()
    assert staff.get(reverse("change-reason", args=[common.pk])).status_code == 404


def test_a_key_is_shown_once_rotated_and_revoked(acme, staff):
    text = text_of(send(staff, reverse("new-key"), name="Shop", may_collect="on"))
    auth_key = re.search(r"auth_key (\S{32})", text).group(1)
    key = find_key(acme.pk, auth_key)
    assert (key.name, key.may_collect, key.may_approve) == ("Shop", True, False)
    assert auth_key not in text_of(staff.get(reverse("api-keys")))
    rotated = staff.post(reverse("key-act", args=[key.pk, "rotate"]), {"once": "a" * 32}, follow=True)
    second = re.search(r"auth_key (\S{32})", text_of(rotated)).group(1)
    assert find_key(acme.pk, second).may_collect
    staff.post(reverse("key-act", args=[key.pk, "revoke"]), {"once": "b" * 32})
    assert find_key(acme.pk, auth_key) is None
    assert "revoked" in text_of(staff.get(reverse("api-keys")))


def test_a_key_is_rotated_once_also_if_the_process_dies_before_its_answer(acme, staff, monkeypatch):
    key, _ = create_key(acme, name="Shop", caller=BY_TEST)
    address, sent = reverse("key-act", args=[key.pk, "rotate"]), {"once": "a" * 32}

    def work_and_die(client, claim, work):
        work()
        raise Died

    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(receipts, "_work", work_and_die)
        staff.post(address, sent)
    assert ApiKey.objects.count() == 2
    assert staff.post(address, sent).status_code == 302
    assert ApiKey.objects.count() == 2


def test_a_key_may_do_no_more_than_its_maker(acme):
    maker = reader(acme, permissions=("view_apikey", "add_apikey"))
    answer = maker.post(reverse("new-key"), {"name": "Shop", "may_approve": "on", "act": "preview"})
    assert "ask an administrator to make it" in text_of(answer)
    assert not ApiKey.objects.exists()


def test_others_keys_are_not_found_and_readers_change_nothing(acme, staff):
    key, _ = create_key(ClientFactory(name="Other"), name="theirs", caller=BY_TEST)
    assert staff.post(reverse("key-act", args=[key.pk, "revoke"]), {"once": "a" * 32}).status_code == 404
    viewer = reader(acme, permissions=("view_client",))
    text = text_of(viewer.get(reverse("settings")))
    assert "Payment terms in days" in text and reverse("change-settings", args=["tax"]) not in text
    assert viewer.get(reverse("change-settings", args=["tax"])).status_code == 403
    assert viewer.get(reverse("api-keys")).status_code == 403


# Exchange rates of the VAT currency, typed in the reader's language.


def rates_stored(acme, staff, typed):
    address, german = reverse("change-settings", args=["tax"]), {"accept-language": "de"}
    fields = fields_of(staff, "tax", tax_currency="sek", tax_currency_rates=typed)
    return staff.post(address, {**fields, "act": "preview"}, headers=german)


@pytest.mark.parametrize("typed", ["EUR 11,4523; JPY 0,5", "EUR 11,4523, JPY 0.5", "eur 11,4523\r\njpy 0,5"])
def test_exchange_rates_are_read_in_the_readers_language(acme, staff, typed):
    form = rates_stored(acme, staff, typed).context["form"]
    assert form.cleaned_data["tax_currency_rates"] == "EUR 11.4523, JPY 0.5"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("EUR 11,4; JPY 1.234", "JPY: 1.234 kann auf zwei Arten gelesen werden. Schreiben Sie 1234 oder 1,234."),
        ("EUR 0", "EUR 0 ist kein Wechselkurs. Geben Sie eine Währung und eine Zahl über 0 an, zum Beispiel EUR 11,4523."),
        ("11,4523", "11,4523 ist kein Wechselkurs. Geben Sie eine Währung und eine Zahl über 0 an, zum Beispiel EUR 11,4523."),
    ],
)
def test_an_exchange_rate_that_is_not_clear_is_refused_by_its_currency(acme, staff, typed, message):
    assert message in text_of(rates_stored(acme, staff, typed))


def test_stored_exchange_rates_are_shown_in_the_readers_language(acme, staff):
    Client.objects.filter(pk=acme.pk).update(tax_currency="sek", tax_currency_rates="EUR 1.234, JPY 0.5")
    page = staff.get(reverse("change-settings", args=["tax"]), headers={"accept-language": "de"})
    assert "EUR 1,234\nJPY 0,5</textarea>" in text_of(page) and "in jeder Zeile eine Währung: EUR 11,4523." in text_of(page)


def test_common_reasons_are_named_in_the_readers_language(staff):
    page = text_of(staff.get(reverse("reasons"), headers={"Accept-Language": "de"}))
    assert "Kulanz" in page and "Goodwill" not in page
