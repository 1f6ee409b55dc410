"""The addresses of the pages of the settings."""

from django.urls import path

from invoices.pages.settings.editors import AddKey, AddReason, ChangeReason, ChangeSection, ChangeSeries
from invoices.pages.settings.lists import KeyAct, KeyList, ReasonList, SeriesList, SettingsList
from invoices.pages.settings.logo import LogoImage, LogoPage
from invoices.pages.settings.people import AddPerson, ChangePerson, PeopleList, ResetFactors, SignOutPerson

settings_patterns = [
    path("settings/", SettingsList.as_view(), name="settings"),
    path("settings/sections/<slug:section>/", ChangeSection.as_view(), name="change-settings"),
    path("settings/logo/", LogoPage.as_view(), name="logo"),
    path("settings/logo/image/", LogoImage.as_view(), name="logo-image"),
    path("settings/series/", SeriesList.as_view(), name="number-series"),
    path("settings/series/<slug:kind>/", ChangeSeries.as_view(), name="change-series"),
    path("settings/reasons/", ReasonList.as_view(), name="reasons"),
    path("settings/reasons/new/", AddReason.as_view(), name="new-reason"),
    path("settings/reasons/<int:reason_no>/", ChangeReason.as_view(), name="change-reason"),
    path("settings/people/", PeopleList.as_view(), name="people"),
    path("settings/people/new/", AddPerson.as_view(), name="new-person"),
    path("settings/people/<int:person_no>/", ChangePerson.as_view(), name="change-person"),
    path("settings/people/<int:person_no>/reset-factors/", ResetFactors.as_view(), name="reset-factors"),
    path("settings/people/<int:person_no>/sign-out/", SignOutPerson.as_view(), name="sign-out-person"),
    path("settings/keys/", KeyList.as_view(), name="api-keys"),
    path("settings/keys/new/", AddKey.as_view(), name="new-key"),
    path("settings/keys/<int:key_no>/act/<slug:act>/", KeyAct.as_view(), name="key-act"),
]
