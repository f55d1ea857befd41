from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "spine.search"
    label = "search"
