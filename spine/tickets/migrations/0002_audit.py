"""Changes made outside the application show on the record."""

from django.db import migrations

from spine.audit.triggers import AuditTable


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        AuditTable("tickets_ticket", target_type="tickets.ticket", label="number"),
        AuditTable("tickets_priorityrule", target_type="tickets.priorityrule"),
        AuditTable("tickets_category", target_type="tickets.category", label="name"),
    ]
