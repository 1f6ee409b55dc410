from django.apps import AppConfig
from django.db.backends.signals import connection_created

from billing_site.common.exact_decimals import add_sqlite_functions


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts and catalogue"

    def ready(self) -> None:
        connection_created.connect(add_sqlite_functions)
