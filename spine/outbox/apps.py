from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "spine.outbox"
    label = "outbox"
