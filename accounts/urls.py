"""Addresses for signing in and out, and for the reader's choices."""

from django.contrib.auth.views import LogoutView
from django.urls import path
from django.views.i18n import set_language

from accounts.pages.own_account import OwnAccount, OwnAct, OwnApp, OwnPasskey, OwnPasskeyOptions, OwnPassword
from accounts.pages.saved_views import SavedViews
from accounts.pages.second_step import EnterCode, SetUpFactor, ShowPasskey
from accounts.pages.session import ChooseClient, SignIn, choose_theme
from accounts.pages.single_sign_on import BeginSingleSignOn, EndSingleSignOn

urlpatterns = [
    path("login/", SignIn.as_view(), name="login"),
    path("login/code/", EnterCode.as_view(), name="login-code"),
    path("login/passkey/", ShowPasskey.as_view(), name="login-passkey"),
    path("login/set-up/", SetUpFactor.as_view(), name="login-set-up"),
    path("admin/login/", SignIn.as_view(), name="admin-login"),
    path("login/sso/", BeginSingleSignOn.as_view(), name="single-sign-on"),
    path("login/sso/done/", EndSingleSignOn.as_view(), name="single-sign-on-done"),
    path("you/", OwnAccount.as_view(), name="own-account"),
    path("you/password/", OwnPassword.as_view(), name="own-password"),
    path("you/app/", OwnApp.as_view(), name="own-app"),
    path("you/passkey/", OwnPasskey.as_view(), name="own-passkey"),
    path("you/passkey/options/", OwnPasskeyOptions.as_view(), name="own-passkey-options"),
    path("you/act/<slug:act>/", OwnAct.as_view(), name="own-act"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("client/", ChooseClient.as_view(), name="client"),
    path("views/", SavedViews.as_view(), name="saved-views"),
    path("theme/", choose_theme, name="theme"),
    path("language/", set_language, name="set_language"),
]
