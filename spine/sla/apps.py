from django.apps import AppConfig


class SLAConfig(AppConfig):
    name = "spine.sla"
    label = "sla"
