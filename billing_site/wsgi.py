"""The WSGI application for production servers."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

from billing_site.common.statement_limits import limit_statements  # noqa: E402
from billing_site.error_tracking import track_errors  # noqa: E402

track_errors()
application = get_wsgi_application()
limit_statements()
