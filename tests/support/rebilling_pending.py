"""Usage that a document holds."""

from invoices.models import ServiceCredit
from invoices.services.planning.extras import credits_with_used


def used(credit):
    return credits_with_used(ServiceCredit.objects.filter(pk=credit.pk)).get().used
