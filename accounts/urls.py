"""Signing in and out, and what a reader chooses for all pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts.pages.session import ChooseClient, SignIn, choose_theme

urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("client/", ChooseClient.as_view(), name="client"),
    path("theme/", choose_theme, name="theme"),
]
