"""Coupon uses go where their lines are: from an invoice that was rebilled to the rebill that carries the line, or back."""

from django.db import migrations, models


def move_uses(apps, schema_editor):
    Invoice = apps.get_model("invoices", "Invoice")
    InvoiceLine = apps.get_model("invoices", "InvoiceLine")
    CouponUse = apps.get_model("invoices", "CouponUse")
    rebills = Invoice.objects.filter(kind="rebill", status="approved", corrects__isnull=False).order_by("pk")
    for rebill in rebills.iterator():
        redeemed = dict(CouponUse.objects.filter(invoice=rebill.corrects_id).values_list("line_no", "redemption_id"))
        if not redeemed:
            continue
        CouponUse.objects.filter(invoice=rebill.corrects_id).update(is_given_back=True)
        carried = InvoiceLine.objects.filter(invoice=rebill, line_type=4, source_line_no__in=list(redeemed))
        CouponUse.objects.bulk_create(
            CouponUse(invoice=rebill, redemption_id=redeemed[source], line_no=line_no)
            for line_no, source in carried.values_list("line_no", "source_line_no")
        )


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0028_unused_credits"),
    ]

    operations = [
        migrations.AddField(
            model_name="couponuse",
            name="is_given_back",
            field=models.BooleanField(default=False, help_text="The invoice was rebilled, so it counts no more."),
        ),
        migrations.RunPython(move_uses, migrations.RunPython.noop),
    ]
