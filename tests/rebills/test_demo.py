"""The demonstration's own data: what it issues by itself is complete, so that nothing of it is pending."""

from rebills.management.commands.demo import Command


def test_the_demos_invoice_of_nine_line_types_is_issued_and_not_held_for_its_tax_data(db, settings):
    settings.VIRTUAL_CLOCK = True
    command = Command()
    client, _ = command.make_client()
    invoice = command.bill_every_way(client)
    assert (invoice.status, str(invoice.total_amount)) == ("approved", "238.1200")
    assert not hasattr(invoice, "tax_answer")
