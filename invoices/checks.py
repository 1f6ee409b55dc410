"""What `manage.py check --deploy` looks at."""

from typing import Any

from django.core.checks import CheckMessage, Warning
from django.utils.translation import gettext as _


def check_pdfs(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn if no PDF can be made. Everything else works without them, and documents can be printed from their print view."""
    from invoices.services.printing.pdf import CannotPrint, check_pango

    try:
        check_pango()
    except CannotPrint as error:
        packages = "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0", "brew install pango"
        hint = _("On Debian: %(debian)s. On a Mac: %(mac)s.") % dict(zip(("debian", "mac"), packages, strict=True))
        return [Warning(str(error), hint=hint, id="invoices.W001")]
    return []
