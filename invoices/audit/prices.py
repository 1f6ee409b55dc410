"""Check that each price gives an amount for any number of units."""

from django.db.models import Exists, F, OuterRef, Q

from accounts.kinds import BANDED_MODELS
from accounts.models import RateSchedule, RateTier
from invoices.audit.rules import Rule

BANDED = Q(model__in=BANDED_MODELS)
BANDS = RateTier.objects.filter(schedule=OuterRef("pk"))
CLIENT = "charge__plan__client"

PRICES = (
    Rule(
        RateSchedule,
        CLIENT,
        BANDED & ~Exists(BANDS.filter(from_unit=0)),
        "price {pk} of plan {charge__plan_id}: is {model}, but no band of it begins at 0",
    ),
    Rule(
        RateSchedule,
        CLIENT,
        ~BANDED & Exists(BANDS),
        "price {pk} of plan {charge__plan_id}: is {model}, but has bands",
    ),
    Rule(
        RateSchedule,
        CLIENT,
        (BANDED & Q(rate_per_unit__isnull=False)) | (~BANDED & Q(rate_per_unit__isnull=True)),
        "price {pk} of plan {charge__plan_id}: is {model}, with the rate {rate_per_unit}",
    ),
    Rule(
        RateSchedule,
        CLIENT,
        Q(maximum_amount__lt=F("minimum_amount")),
        "price {pk} of plan {charge__plan_id}: has a maximum of {maximum_amount}, below its minimum of {minimum_amount}",
    ),
)
