"""Changes made outside the application show on the record."""

from django.db import migrations

from spine.audit.triggers import AuditTable


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        AuditTable(
            "people_user",
            target_type="people.user",
            label="username",
            exclude=("password", "last_login", "search_text", "sort_key"),
            personal=("name", "email", "phone"),
        ),
        AuditTable("people_organization", target_type="people.organization", label="code"),
        AuditTable("people_team", target_type="people.team", label="name"),
        AuditTable("people_teammember", target_type="people.teammember"),
        AuditTable("people_grant", target_type="people.grant", label="role"),
        AuditTable(
            "people_apitoken",
            target_type="people.apitoken",
            label="name",
            exclude=("digest", "last_used_at"),
        ),
    ]
