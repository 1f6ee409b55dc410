from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from billing_site.catalogues import catalogues
from billing_site.common.exact_decimals import add_sqlite_functions
from billing_site.common.labels import translate_labels


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts and catalogue")

    def ready(self) -> None:
        connection_created.connect(add_sqlite_functions)
        translate_labels(self)


@register()
def check_catalogues(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn where the texts of a language were not compiled: its pages would be in English."""
    missing = [path for path in catalogues() if not path.with_suffix(".mo").exists()]
    return [Warning(f"{path} is not compiled. Run: python -m billing_site.catalogues", id="accounts.W001") for path in missing]
