"""Billing runs with states, filters, limits and dry runs; workers and schedules."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_run_limits'),
        ('invoices', '0002_tax_exemptions'),
    ]

    operations = [
        migrations.CreateModel(
            name='RunFilter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('filter', models.JSONField(blank=True, default=dict)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='RunPart',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('currency', models.CharField(max_length=3)),
                ('invoices', models.PositiveIntegerField()),
                ('total_amount', models.DecimalField(decimal_places=4, max_digits=20)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('act', models.CharField(choices=[('bill', 'Bill all accounts that are due'), ('collect', 'Collect open invoices'), ('resume_collections', 'Resume interrupted collections'), ('send_statements', 'Send statements'), ('discard_stale', 'Discard stale pending invoices'), ('prune_logs', 'Prune the log of API calls'), ('audit', 'Audit')], max_length=20)),
                ('hour', models.PositiveSmallIntegerField(help_text="Hour of the day in the client's time zone, from 0 to 23. An hour that a day skips is the next one.", validators=[django.core.validators.MaxValueValidator(23)])),
                ('is_on', models.BooleanField(default=True, verbose_name='on')),
                ('next_day', models.DateField(editable=False, help_text="The client's day on which it is done next.")),
                ('next_at', models.DateTimeField(editable=False)),
                ('last_started_at', models.DateTimeField(editable=False, null=True)),
                ('last_success_at', models.DateTimeField(editable=False, null=True)),
                ('message', models.CharField(blank=True, editable=False, help_text='Why it failed. Empty: it did not.', max_length=300)),
                ('claimed_by', models.BigIntegerField(editable=False, help_text='Number of the worker that does it now.', null=True)),
            ],
            options={
                'ordering': ['client', 'act'],
            },
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.CharField(max_length=200)),
                ('pid', models.PositiveIntegerField()),
                ('name', models.CharField(max_length=60)),
                ('started_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='billingrun',
            name='compared_with',
            field=models.ForeignKey(blank=True, help_text='The dry run with which this run is compared.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='compared_runs', to='invoices.billingrun'),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='filter',
            field=models.JSONField(db_default={}, default=dict, help_text='Which accounts the run takes in. Empty: all that are due.'),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='is_dry_run',
            field=models.BooleanField(db_default=False, default=False, help_text='Invoices are planned, and nothing but the run is written.', verbose_name='dry run'),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='mode',
            field=models.CharField(choices=[('as_configured', 'As configured: pending where the settings require approval'), ('all_pending', 'All as pending'), ('advance', 'In advance of the bill date')], db_default='as_configured', default='as_configured', max_length=15),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='state',
            field=models.CharField(choices=[('planned', 'Planned'), ('running', 'Running'), ('paused', 'Paused'), ('cancelling', 'Being cancelled'), ('cancelled', 'Cancelled'), ('finished', 'Finished'), ('stopped', 'Stopped by a limit')], db_default='running', default='running', max_length=12),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stop_above_invoice',
            field=models.DecimalField(blank=True, decimal_places=4, help_text='A billing run stops before it bills an invoice whose total is above this amount. 0: before the first invoice above 0. Empty: no limit.', max_digits=15, null=True, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stop_above_percent_of_last',
            field=models.DecimalField(blank=True, decimal_places=2, help_text='A billing run stops when its total in one currency is above this percent of the last finished run with the same filter. 0: at the first amount above 0. Empty: no limit.', max_digits=7, null=True, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stop_above_refusals',
            field=models.PositiveIntegerField(blank=True, help_text='A billing run stops when more accounts than this are refused. 0: at the first refusal. Empty: no limit.', null=True),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stop_above_refused_percent',
            field=models.DecimalField(blank=True, decimal_places=2, help_text='A billing run stops when more than this percent of its accounts are refused. 0: at the first refusal. Empty: no limit.', max_digits=5, null=True, validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stop_reason',
            field=models.CharField(blank=True, db_default='', default='', help_text='Why the run was stopped before its end.', max_length=300),
        ),
        migrations.AddField(
            model_name='billingrun',
            name='stopped_by',
            field=models.CharField(blank=True, db_default='', default='', editable=False, help_text='The limit that stopped the run.', max_length=30),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='claimed_by',
            field=models.BigIntegerField(editable=False, help_text='Number of the worker that bills the account now, or has billed it.', null=True),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='currency',
            field=models.CharField(blank=True, db_default='', default='', max_length=3),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='flags',
            field=models.CharField(blank=True, db_default='', default='', help_text='The flags that the invoice would have.', max_length=200),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='is_dry_run',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='net_amount',
            field=models.DecimalField(decimal_places=4, max_digits=15, null=True),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='other_run',
            field=models.ForeignKey(db_index=False, help_text='The run that bills the account.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='invoices.billingrun'),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='previous_total',
            field=models.DecimalField(decimal_places=4, help_text="Total of the account's last invoice. Empty: there is none.", max_digits=15, null=True),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='tax_amount',
            field=models.DecimalField(decimal_places=4, max_digits=15, null=True),
        ),
        migrations.AddField(
            model_name='runoutcome',
            name='total_amount',
            field=models.DecimalField(decimal_places=4, max_digits=15, null=True),
        ),
        migrations.AlterField(
            model_name='billingrun',
            name='held_until',
            field=models.DateTimeField(editable=False, help_text='Not used any more. The next release removes it.', null=True),
        ),
        migrations.AlterField(
            model_name='runoutcome',
            name='result',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('invoiced', 'Invoiced'), ('nothing_to_bill', 'Nothing to bill'), ('refused', 'Refused'), ('billable', 'Would be invoiced'), ('in_another_run', 'In another run'), ('cancelled', 'Not billed, run cancelled')], default='waiting', max_length=20),
        ),
        migrations.AddIndex(
            model_name='billingrun',
            index=models.Index(condition=models.Q(('finished_at', None)), fields=['state'], name='run_by_state'),
        ),
        migrations.AddConstraint(
            model_name='billingrun',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['planned', 'running', 'paused', 'cancelling', 'cancelled', 'finished', 'stopped'])), name='run_state'),
        ),
        migrations.AddConstraint(
            model_name='billingrun',
            constraint=models.CheckConstraint(condition=models.Q(('mode__in', ['as_configured', 'all_pending', 'advance'])), name='run_mode'),
        ),
        migrations.AddConstraint(
            model_name='billingrun',
            constraint=models.CheckConstraint(condition=models.Q(('is_dry_run', False), ('compared_with', None), _connector='OR'), name='a_real_run_is_compared'),
        ),
        migrations.AddConstraint(
            model_name='runoutcome',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('result', 'billable'), _negated=True), models.Q(('is_dry_run', True), ('net_amount__isnull', False), ('tax_amount__isnull', False), ('total_amount__isnull', False)), _connector='OR'), name='dry_run_outcome_has_figures'),
        ),
        migrations.AddConstraint(
            model_name='runoutcome',
            constraint=models.UniqueConstraint(condition=models.Q(('is_dry_run', False), ('result', 'waiting')), fields=('account',), name='account_waits_in_one_run'),
        ),
        migrations.AddField(
            model_name='runfilter',
            name='client',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='run_filters', to='accounts.client'),
        ),
        migrations.AddField(
            model_name='runpart',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='invoices.billingrun'),
        ),
        migrations.AddField(
            model_name='schedule',
            name='client',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='schedules', to='accounts.client'),
        ),
        migrations.AddConstraint(
            model_name='runfilter',
            constraint=models.UniqueConstraint(fields=('client', 'name'), name='one_run_filter_per_name'),
        ),
        migrations.AddIndex(
            model_name='schedule',
            index=models.Index(condition=models.Q(('is_on', True)), fields=['next_at'], name='schedule_next'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.UniqueConstraint(fields=('client', 'act'), name='one_schedule_per_act'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('hour__lte', 23)), name='schedule_hour'),
        ),
        migrations.AddConstraint(
            model_name='schedule',
            constraint=models.CheckConstraint(condition=models.Q(('act__in', ['bill', 'collect', 'resume_collections', 'send_statements', 'discard_stale', 'prune_logs', 'audit'])), name='schedule_act'),
        ),
        # Runs of before were finished, or went on when they were continued.
        migrations.RunSQL(
            "UPDATE invoices_billingrun SET state = 'finished' WHERE finished_at IS NOT NULL", migrations.RunSQL.noop
        ),
    ]
