from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _

from accounts.labels import PLAIN_NAMES
from billing_site.catalogues import catalogues
from billing_site.common.exact_decimals import add_sqlite_functions
from billing_site.common.guards import check_guards, put_on_guards, register_guards, take_off_guards
from billing_site.common.labels import translate_labels
from billing_site.production import check_production


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts and catalogue")

    def ready(self) -> None:
        """Models are not ready earlier, so what names them is imported here."""
        from accounts.guards import guards
        from accounts.signing_in import watch_people

        connection_created.connect(add_sqlite_functions)
        watch_people()
        translate_labels(self, PLAIN_NAMES)
        register_guards(guards())
        register(check_guards, Tags.database)
        register(check_production, Tags.security, deploy=True)
        pre_migrate.connect(take_off_guards, sender=self)
        post_migrate.connect(put_on_guards, sender=self)


@register()
def check_catalogues(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn where the texts of a language were not compiled: its pages would be in English."""
    missing = [path for path in catalogues() if not path.with_suffix(".mo").exists()]
    return [Warning(f"{path} is not compiled. Run: python -m billing_site.catalogues", id="accounts.W001") for path in missing]
