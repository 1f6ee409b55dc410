"""Tax engines by the name in a client's settings. `protocol` says what they must do."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from invoices.tax_engines.protocol import TaxEngine


@cache
def engine_named(name: str) -> TaxEngine:
    """Return the engine that the TAX_ENGINES setting lists under this name."""
    engine: TaxEngine = import_string(settings.TAX_ENGINES[name])()
    return engine
