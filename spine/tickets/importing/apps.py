from django.apps import AppConfig


class ImportingConfig(AppConfig):
    name = "spine.tickets.importing"
    label = "importing"
