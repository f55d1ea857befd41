"""Changes made outside the application show on the record."""

from django.db import migrations

from spine.audit.triggers import AuditTable


class Migration(migrations.Migration):
    dependencies = [("services", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        AuditTable("services_service", target_type="services.service", label="name"),
    ]
