"""What an operation returned for one member of a batch, as tests ask for it."""

from invoices.services.documents.collection_results import Collected
from invoices.services.documents.outcomes import Refused
from rebills.services.requests import RefusedRebill


def error_of(outcome):
    """Return why it was refused, or None."""
    return outcome.error if isinstance(outcome, Refused | RefusedRebill | Collected) else None


def code_of(outcome):
    """Return the number of its error, 0 if it was done."""
    error = error_of(outcome)
    return 0 if error is None else error.code.number
