"""What each contact of an account is used for: the bill-to, the tax, statements."""

from collections.abc import Sequence
from typing import NamedTuple

from accounts.models import Client, Contact
from invoices.services.planning.facts import billing_contact, taxed_contact
from invoices.services.statements.statements import statement_contacts


class ContactUses(NamedTuple):
    """What a contact is used for."""

    contact: Contact
    is_billed: bool
    decides_tax: bool
    gets_statements: bool
    gets_copies: bool


def contact_uses(contacts: Sequence[Contact], client: Client) -> list[ContactUses]:
    """Return what these contacts of an account are used for, in the order of their numbers. Reads nothing.

    They may be contacts as they would be after a change.
    """
    contacts = sorted(contacts, key=lambda one: one.contact_no)
    billed, taxed = billing_contact(contacts), taxed_contact(contacts, client)
    first, copies = statement_contacts(contacts)
    return [
        ContactUses(one, one is billed, one is taxed, one is first, any(one is copy for copy in copies)) for one in contacts
    ]
