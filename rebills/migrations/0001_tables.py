"""The tables of rebills and campaigns."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('rebills', '0001_first_release'),
        ('rebills', '0005_campaigns'),
        ('rebills', '0008_undone_campaigns'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_tables'),
        ('invoices', '0001_tables'),
    ]

    operations = [
        migrations.CreateModel(
            name='Rebill',
            fields=[
            ],
            options={
                'verbose_name': 'rebill',
                'ordering': ['-id'],
                'proxy': True,
                'indexes': [],
                'constraints': [],
            },
            bases=('invoices.invoice',),
        ),
        migrations.CreateModel(
            name='CampaignItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('changes', models.JSONField(db_default=[], default=list, help_text='Changes of single lines from a file: line, field and value.')),
                ('state', models.CharField(choices=[('waiting', 'Not previewed yet'), ('ready', 'Would be rebilled'), ('unchanged', 'Nothing to change'), ('refused', 'Refused'), ('rebilled', 'Rebilled'), ('moved', 'Changed since the preview'), ('failed', 'Failed'), ('cancelled', 'Not rebilled, campaign cancelled'), ('undoing', 'To be undone'), ('undone', 'Undone')], default='waiting', max_length=10)),
                ('currency', models.CharField(max_length=3)),
                ('fingerprint', models.CharField(blank=True, db_default='', max_length=300)),
                ('is_collected', models.BooleanField(db_default=False, default=False, help_text='Whether the amount due on the rebill is collected.')),
                ('net_before', models.DecimalField(decimal_places=4, max_digits=15, null=True)),
                ('tax_before', models.DecimalField(decimal_places=4, max_digits=15, null=True)),
                ('net_after', models.DecimalField(decimal_places=4, max_digits=15, null=True)),
                ('tax_after', models.DecimalField(decimal_places=4, max_digits=15, null=True)),
                ('difference', models.DecimalField(decimal_places=4, help_text='Total of the rebill less total of the document.', max_digits=15, null=True)),
                ('carried', models.DecimalField(decimal_places=4, help_text='Payments of the document that pay the rebill.', max_digits=15, null=True)),
                ('collected', models.DecimalField(decimal_places=4, help_text='What is to be collected.', max_digits=15, null=True)),
                ('left_as_credit', models.DecimalField(decimal_places=4, help_text='Payments of the document that are left to the customer as credit.', max_digits=15, null=True)),
                ('to_other_invoices', models.DecimalField(decimal_places=4, help_text='Payments of the document that pay other invoices.', max_digits=15, null=True)),
                ('due', models.DecimalField(decimal_places=4, help_text='What is left to pay on the rebill.', max_digits=15, null=True)),
                ('error_code', models.IntegerField(db_default=0, default=0)),
                ('message', models.TextField(blank=True, db_default='')),
                ('detail', models.TextField(blank=True, db_default='', default='', editable=False, help_text='Parts of the message, for its translation. JSON.')),
                ('claimed_by', models.BigIntegerField(editable=False, help_text='Number of the worker that previews or rebills it now.', null=True)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='campaign_items', to='invoices.invoice')),
                ('rebill', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='campaign_item', to='invoices.invoice')),
            ],
            options={
                'verbose_name': 'document of a campaign',
                'verbose_name_plural': 'documents of campaigns',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='CampaignTax',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('authority', models.CharField(blank=True, max_length=200)),
                ('jurisdiction', models.CharField(blank=True, max_length=100)),
                ('percent', models.DecimalField(decimal_places=6, max_digits=9)),
                ('before', models.DecimalField(decimal_places=4, max_digits=15)),
                ('after', models.DecimalField(decimal_places=4, max_digits=15)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='taxes', to='rebills.campaignitem')),
            ],
            options={
                'verbose_name_plural': 'campaign taxes',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RebillCampaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('state', models.CharField(choices=[('previewing', 'Preview running'), ('previewed', 'Needs approval'), ('approved', 'Approved'), ('running', 'Running'), ('paused', 'Paused'), ('stopped', 'Stopped'), ('cancelling', 'Being cancelled'), ('cancelled', 'Cancelled'), ('finished', 'Finished'), ('undo_asked', 'Undo needs approval'), ('undoing', 'Being undone'), ('undone', 'Undone')], default='previewing', max_length=12)),
                ('is_recheck', models.BooleanField(db_default=False, default=False, editable=False, help_text='It only shows what would differ. It can never be approved.')),
                ('selection', models.JSONField(default=dict, help_text='Which documents it was made from.')),
                ('rules', models.JSONField(default=list, help_text='What it changes on their lines.')),
                ('reason_code', models.PositiveSmallIntegerField(null=True)),
                ('comments', models.TextField(blank=True, help_text='Printed on each credit memo and rebill.', max_length=3000)),
                ('statements', models.CharField(choices=[('at_once', 'Sent with each rebill'), ('held', 'Held, to be sent together later'), ('none', 'Not sent')], default='held', max_length=10)),
                ('collect', models.BooleanField(default=False, help_text="Whether the amount due on each rebill is collected from the customer's payment method.")),
                ('collect_limit', models.DecimalField(blank=True, decimal_places=4, help_text='A rebill with a larger amount to collect is issued and not collected. Empty: no limit.', max_digits=15, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('collect_total_limit', models.DecimalField(blank=True, decimal_places=4, help_text='A campaign that would collect more than this in one currency cannot be approved. Empty: no limit.', max_digits=15, null=True, validators=[django.core.validators.MinValueValidator(0)])),
                ('keeps_due_date', models.BooleanField(help_text="Empty: the client's setting decides.", null=True)),
                ('built_by', models.CharField(help_text='Who built it. Another person must approve it.', max_length=60)),
                ('changed_by', models.JSONField(db_default=[], default=list, help_text='Others who have changed it before its approval.')),
                ('built_at', models.DateTimeField(auto_now_add=True)),
                ('previewed_at', models.DateTimeField(null=True)),
                ('fingerprint', models.CharField(blank=True, help_text='Of all that the preview shows.', max_length=64)),
                ('approved_by', models.CharField(blank=True, max_length=60)),
                ('approved_at', models.DateTimeField(null=True)),
                ('undo_asked_by', models.CharField(blank=True, db_default='', default='', max_length=60)),
                ('undo_approved_by', models.CharField(blank=True, db_default='', default='', max_length=60)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('stop_reason', models.CharField(blank=True, max_length=300)),
                ('stop_detail', models.TextField(blank=True, editable=False, help_text='Parts of the reason, for its translation. JSON.')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rebill_campaigns', to='accounts.client')),
            ],
            options={
                'verbose_name': 'rebill campaign',
                'ordering': ['-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['previewing', 'previewed', 'approved', 'running', 'paused', 'stopped', 'cancelling', 'cancelled', 'finished', 'undo_asked', 'undoing', 'undone'])), name='campaign_state'), models.CheckConstraint(condition=models.Q(('is_recheck', False), ('state__in', ('previewing', 'previewed', 'cancelled')), _connector='OR'), name='a_recheck_only_previews'), models.CheckConstraint(condition=models.Q(('is_recheck', True), ('reason_code__isnull', False), _connector='OR'), name='campaign_has_a_reason')],
            },
        ),
        migrations.AddField(
            model_name='campaignitem',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='rebills.rebillcampaign'),
        ),
        migrations.AddIndex(
            model_name='campaignitem',
            index=models.Index(fields=['campaign', 'state', 'account', 'id'], name='campaign_item_by_state'),
        ),
        migrations.AddConstraint(
            model_name='campaignitem',
            constraint=models.UniqueConstraint(fields=('campaign', 'invoice'), name='one_item_per_document_of_a_campaign'),
        ),
        migrations.AddConstraint(
            model_name='campaignitem',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'ready', 'unchanged', 'refused', 'rebilled', 'moved', 'failed', 'cancelled', 'undoing', 'undone'])), name='campaign_item_state'),
        ),
        migrations.AddConstraint(
            model_name='campaignitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rebill__isnull', False), ('state__in', ('rebilled', 'undoing', 'undone'))), models.Q(models.Q(('state__in', ('rebilled', 'undoing', 'undone')), _negated=True), ('rebill__isnull', True)), _connector='OR'), name='campaign_item_has_a_rebill_when_rebilled'),
        ),
        migrations.AddConstraint(
            model_name='campaignitem',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'ready'), _negated=True), models.Q(('difference__isnull', False), models.Q(('fingerprint', ''), _negated=True)), _connector='OR'), name='campaign_item_is_bound_when_ready'),
        ),
    ]
