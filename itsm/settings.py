"""One settings module, driven by the environment (see README, "Settings").

With neither DATABASE_URL nor REDIS_URL the platform runs on embedded servers under ITSM_DATA_DIR;
their socket paths are computed here with nothing running, the servers start on first connect.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import dj_database_url
import dj_email_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from itsm import embedded

BASE_DIR = Path(__file__).resolve().parent.parent
DEMO_SECRET = "demo-secret-not-for-production"  # noqa: S105 - refused outside the demo below


def env(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_bool(name: str, default: bool = False) -> bool:
    return env(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


TESTING = "pytest" in sys.modules
DATA_DIR = Path(env("ITSM_DATA_DIR") or BASE_DIR / (".data-test" if TESTING else ".data")).resolve()
PORT = int(env("ITSM_PORT", "8000"))
BASE_URL = env("ITSM_BASE_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
# Reverse proxies of one's own in front: so many of the last entries of X-Forwarded-For are true.
PROXIES = int(env("ITSM_PROXIES", "0"))

DATABASE_URL = env("DATABASE_URL")
REDIS_URL = env("REDIS_URL")
EMBEDDED_DATABASE = not DATABASE_URL
EMBEDDED_REDIS = not REDIS_URL
# The demo is what runs when nobody configured servers; anything else counts as production.
# ITSM_DEMO=1 permits the demo's data on a server of one's own, not the demo's lack of secrets.
_OWN_SERVER = not (EMBEDDED_DATABASE or TESTING)
DEMO = not _OWN_SERVER or env_bool("ITSM_DEMO")

DEBUG = env_bool("DEBUG")
SECRET_KEY = env("SECRET_KEY", "" if _OWN_SERVER else DEMO_SECRET)
ALLOWED_HOSTS = [h for h in env("ALLOWED_HOSTS", "" if _OWN_SERVER else "*").split(",") if h]
if DEBUG and not DEMO:
    raise ImproperlyConfigured("DEBUG is on with a real database: unset DEBUG.")
if _OWN_SERVER:
    if SECRET_KEY in {"", DEMO_SECRET}:
        raise ImproperlyConfigured("SECRET_KEY is not set: give the installation its own secret.")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts: a wildcard is refused.")

INSTALLED_APPS = [
    "itsm",
    "portal",
    "incidents",
    "notify",
    "spine.tickets.importing",
    "spine.tickets",
    "spine.sla",
    "spine.services",
    "spine.threads",
    "spine.ui",
    "spine.search",
    "spine.people",
    "spine.outbox",
    "spine.audit",
    "spine.rest",
    "spine.kit",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "pgtrigger",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "spine.rest.middleware.ProblemMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "spine.kit.middleware.CleanInputMiddleware",
    "spine.audit.middleware.SourceMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "spine.people.middleware.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "spine.ui.middleware.DomainErrorMiddleware",
]

ROOT_URLCONF = "itsm.urls"
WSGI_APPLICATION = "itsm.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "itsm.navigation.context",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ]
            if not DEBUG
            else [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ],
        },
    }
]

_embedded = embedded.paths(DATA_DIR)
if EMBEDDED_DATABASE:
    DATABASES: dict[str, Any] = {
        "default": {
            "ENGINE": "itsm.db_backend",
            "NAME": env("ITSM_DATABASE_NAME", "evenkeel"),
            "USER": "evenkeel",
            "HOST": str(_embedded.postgres_socket_dir),
        }
    }
else:
    DATABASES = {"default": dict(dj_database_url.parse(DATABASE_URL))}
DATABASES["default"].update({"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True})
DATABASES["default"].setdefault("OPTIONS", {})["application_name"] = "evenkeel"
# A record joins ten small tables to one row. In which order makes no difference to reading it, but
# to plan every order takes PostgreSQL fifty times as long as to read fifty rows.
DATABASES["default"]["OPTIONS"].setdefault("options", "-c join_collapse_limit=4")
# A list that no index serves must end in a clear error, not in a stuck worker; pages and the API
# set it per transaction (spine.kit.db.statement_timeout).
LIST_STATEMENT_TIMEOUT_MS = 3000
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_PREFIX = env("ITSM_REDIS_PREFIX", "evenkeel")
REDIS_LOCATION = REDIS_URL or f"unix://{_embedded.redis_socket}?db=0"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_LOCATION,
        "KEY_PREFIX": REDIS_PREFIX,
        # A Redis that is away must cost a request moments, not the network's own patience.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 2.0},
    }
}

CELERY_BROKER_URL = REDIS_URL or f"redis+socket://{_embedded.redis_socket}?virtual_host=0"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"{REDIS_PREFIX}:",
    "visibility_timeout": 3600,
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "run" / "beat-schedule")
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    # A sweep that no worker took in time is not worth doing late: the next one does its work.
    "outbox-sweep": {"task": "outbox.sweep", "schedule": 5.0, "options": {"expires": 15}},
    "clocks-sweep": {"task": "tickets.sweep_clocks", "schedule": 5.0, "options": {"expires": 15}},
    "wake-ups-sweep": {
        "task": "tickets.sweep_wake_ups",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "incidents-auto-close": {"task": "incidents.auto_close", "schedule": 60.0},
    "rest-prune-idempotency": {"task": "rest.prune_idempotency", "schedule": 3600.0},
    "sla-refresh-holidays": {"task": "sla.refresh_holidays", "schedule": 24 * 3600.0},
    "audit-seal": {"task": "audit.seal", "schedule": 30.0},
    "audit-partitions": {"task": "audit.partitions", "schedule": 6 * 3600.0},
    "notify-send": {"task": "notify.send_due", "schedule": 10.0, "options": {"expires": 30}},
    "notify-prune": {"task": "notify.prune", "schedule": 6 * 3600.0},
    "threads-orphans": {"task": "threads.sweep_orphans", "schedule": 3600.0},
    "beat-heartbeat": {"task": "itsm.heartbeat", "schedule": 10.0},
}

# Listeners of the outbox, in order; itsm/wiring.py resolves them and a system check proves them.
LISTENERS = [
    "spine.tickets.listeners.clocks",
    "spine.search.listeners.index",
    "notify.listeners.mail",
]

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["spine.people.backends.PeopleBackend"]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if TESTING
    else [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
_HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CSRF_FAILURE_VIEW = "itsm.pages.errors.csrf_failure"
if _HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LANGUAGE_COOKIE_NAME = "language"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static" / "dist"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "attachments"},
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = TESTING or DEBUG
WHITENOISE_MAX_AGE = 31536000
MEDIA_ROOT = DATA_DIR / "attachments"
ATTACHMENT_MAX_BYTES = 50 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 20

EMAIL_URL = env("EMAIL_URL")
if EMAIL_URL:
    _mail = dj_email_url.parse(EMAIL_URL)
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST = _mail["EMAIL_HOST"]
    EMAIL_PORT = _mail["EMAIL_PORT"]
    EMAIL_HOST_USER = _mail["EMAIL_HOST_USER"]
    EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_PASSWORD"]
    EMAIL_USE_TLS = _mail["EMAIL_USE_TLS"]
    EMAIL_USE_SSL = _mail["EMAIL_USE_SSL"]
else:
    # Without a mail server, mail goes to the mailbox page (/settings/mailbox/).
    EMAIL_BACKEND = "notify.mailbox.MailboxBackend"
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("ITSM_FROM_EMAIL", "Evenkeel <desk@evenkeel.example>")

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "spine.people.authentication.TokenAuthentication",
        "spine.people.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["spine.people.authentication.ScopePermission"],
    "DEFAULT_SCHEMA_CLASS": "spine.rest.schema.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "spine.rest.problems.exception_handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": "iso-8601",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Evenkeel API",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}
API_RATE_LIMIT_PER_MINUTE = int(env("ITSM_API_RATE_LIMIT", "6000"))

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"evenkeel": {"level": "INFO"}},
}
SILENCED_SYSTEM_CHECKS: list[str] = []
