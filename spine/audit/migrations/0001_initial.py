import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from spine.audit.migrations import _0001_sql as sql


class Migration(migrations.Migration):
    initial = True

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.SeparateDatabaseAndState(
            # The ORM has no partitioned tables: state and table are made apart, equal in columns.
            database_operations=[migrations.RunSQL(sql.TABLES, sql.DROP_TABLES)],
            state_operations=[
                migrations.CreateModel(
                    name="Entry",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("at", models.DateTimeField()),
                        ("actor_label", models.TextField()),
                        ("actor_salt", models.UUIDField(null=True)),
                        ("actor_digest", models.BinaryField(max_length=32)),
                        ("verb", models.CharField(max_length=80)),
                        ("target_type", models.CharField(max_length=80)),
                        ("target_id", models.CharField(max_length=64)),
                        ("target_label", models.TextField()),
                        ("changes", models.JSONField(default=dict)),
                        ("data", models.JSONField(default=dict)),
                        ("operation", models.UUIDField(null=True)),
                        (
                            "source",
                            models.CharField(
                                choices=[
                                    ("web", "Desk"),
                                    ("portal", "Portal"),
                                    ("api", "API"),
                                    ("mail", "E-mail"),
                                    ("import", "Import"),
                                    ("task", "Background task"),
                                    ("shell", "Command line"),
                                    ("outside", "Outside the application"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("xid", models.BigIntegerField(editable=False)),
                        (
                            "actor",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                null=True,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "db_table": "audit_entry",
                        "ordering": ["at", "id"],
                        "indexes": [
                            models.Index(
                                fields=["target_type", "target_id", "at", "id"],
                                name="audit_entry_target",
                            ),
                            models.Index(fields=["actor", "at"], name="audit_entry_actor"),
                            models.Index(fields=["verb", "at"], name="audit_entry_verb"),
                            models.Index(fields=["operation"], name="audit_entry_operation"),
                            models.Index(fields=["xid", "id"], name="audit_entry_sealing"),
                        ],
                    },
                ),
            ],
        ),
        migrations.CreateModel(
            name="Archive",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("table", models.CharField(max_length=63, unique=True)),
                ("month", models.DateField(unique=True)),
                ("count", models.BigIntegerField()),
                ("runs", models.JSONField()),
                (
                    "archived_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "db_table": "audit_archive",
                "ordering": [models.OrderBy(models.F("month"))],
            },
        ),
        migrations.CreateModel(
            name="Seal",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("upto_xid", models.BigIntegerField()),
                ("upto_id", models.BigIntegerField()),
                ("max_id", models.BigIntegerField()),
                ("cluster", models.CharField(max_length=32)),
                ("count", models.PositiveIntegerField()),
                ("ids", models.BinaryField()),
                ("digests", models.BinaryField()),
                ("previous", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "db_table": "audit_seal",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="EntryPersonal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("entry_id", models.BigIntegerField()),
                ("path", models.CharField(max_length=200)),
                ("salt", models.CharField(max_length=32)),
                ("value", models.TextField()),
                ("subject", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "db_table": "audit_entry_personal",
                "indexes": [
                    models.Index(
                        condition=models.Q(("subject", ""), _negated=True),
                        fields=["subject"],
                        name="audit_personal_subject",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("entry_id", "path"), name="audit_personal_once")
                ],
            },
        ),
        migrations.RunSQL(sql.GUARDS, sql.DROP_GUARDS),
        migrations.RunSQL(sql.PARTITIONS, sql.DROP_PARTITIONS),
        migrations.RunSQL(sql.OUTSIDE, sql.DROP_OUTSIDE),
        migrations.RunSQL(sql.REBASE, sql.DROP_REBASE),
    ]
