from django.apps import AppConfig


class KitConfig(AppConfig):
    name = "spine.kit"
    label = "kit"
