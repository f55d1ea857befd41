from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "spine.audit"
    label = "audit"
