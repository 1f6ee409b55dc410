"""Addresses for signing in and out, and for the reader's choices."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from accounts.pages.session import ChooseClient, SignIn, choose_theme

urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("client/", ChooseClient.as_view(), name="client"),
    path("theme/", choose_theme, name="theme"),
    path("language/", set_language, name="set_language"),
]
