"""Name the changes of data that put pending documents out of date after what they are. No row is read or written."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('invoices', '0007_document_files'),
    ]

    operations = [
        migrations.RenameModel(old_name='GroundChange', new_name='DataChange'),
        migrations.RenameIndex(model_name='datachange', new_name='data_change_of_account', old_name='ground_of_account'),
        migrations.RenameIndex(model_name='datachange', new_name='data_change_of_client', old_name='ground_of_client'),
    ]
