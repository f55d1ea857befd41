from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "spine.search"
    label = "search"

    def ready(self) -> None:
        from spine.search import people, sources

        sources.register(people.PEOPLE)
        sources.register(people.TEAMS)
