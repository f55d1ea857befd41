"""Changes made outside the application show on the record."""

from django.db import migrations

from spine.audit.triggers import AuditTable


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        AuditTable(
            "incidents_incident",
            target_type="tickets.ticket",
            pk="ticket_ptr_id",
            label="tickets_ticket.number",
        ),
        AuditTable("incidents_incidentsettings", target_type="incidents.incidentsettings"),
    ]
