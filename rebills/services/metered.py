"""The metered charges of a document, whose units can be corrected."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.models import Service
from invoices.document import Document
from invoices.kinds import LineType
from rebills.plan.older import basis_of_document


class Metered(NamedTuple):
    """A metered charge: its name, the units that the document bills, and the fields by which `usage_corrections` name it."""

    name: str
    plan_name: str
    units: Decimal
    names: Mapping[str, Any]


def metered_charges(content: Document) -> list[Metered]:
    """Return a document's metered charges in its order, including those with no billed units."""
    charges = [one for one in basis_of_document(content).charges if one.line_type == LineType.USAGE]
    services = dict(Service.objects.filter(pk__in={one.service_no for one in charges}).values_list("pk", "name"))
    plans = {line.plan_instance_id: line.plan_name for line in content.lines}
    return [
        Metered(
            services[one.service_no],
            plans.get(one.plan_instance_no, ""),
            one.billed.units,
            {
                "plan_instance_no": one.plan_instance_no,
                "service_no": one.service_no,
                "period_start": one.period_start,
            },
        )
        for one in charges
    ]
