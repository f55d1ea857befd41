"""`manage.py screenshots`: pictures of every main page, by screen, theme and language.

All go to `test-results/screenshots/`; the handful that README and the guides show goes to
`docs/pictures/`, small enough for a repository. The pages are read from the database of this
installation (the demo company is loaded where nobody is there) through a server of its own, so a
running platform is neither needed nor disturbed.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from PIL import Image

from incidents.models import Incident
from spine.people.models import User
from spine.tickets.models import HoldReason

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = {375: 812, 1280: 800, 1920: 1080}
SCHEMES = ("light", "dark")
LANGUAGES = {"en": "en-GB", "zh-hans": "zh-CN"}
LANGUAGE_HEADER = "X-Picture-Language"
PICTURE_BYTES = 150_000
# A title whose letters a reader of the English guides can read.
_LATIN = "^[ -~]+$"


@dataclass(frozen=True, slots=True)
class Shot:
    """A page as somebody sees it. who: a demo account, or "" before sign-in."""

    name: str
    who: str
    path: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Which of the shots README and the guides show, under which name."""

    name: str
    shot: str
    width: int = 1280
    scheme: str = "light"
    language: str = "en"


KEPT = (
    Kept("list", "incidents"),
    Kept("record", "record"),
    Kept("portal", "portal"),
    Kept("desk-dark", "my-work", scheme="dark"),
    Kept("phone-zh", "portal-ticket", width=375, language="zh-hans"),
    Kept("portal-report", "portal-report"),
    Kept("portal-solved", "portal-solved"),
    Kept("portal-zh", "portal", language="zh-hans"),
    Kept("record-zh", "record-chinese", language="zh-hans"),
    Kept("why", "why-this-time"),
    Kept("tokens", "profile"),
)


def shots() -> list[Shot]:
    """Every main page, with records of this installation that have something to show."""
    told = Incident.objects.annotate(said=Count("thread__comments")).order_by("-said", "pk")
    working = told.filter(state="in_progress")
    record = working.filter(title__regex=_LATIN).first() or told.first()
    chinese = working.exclude(title__regex=_LATIN).first() or record
    theirs = told.filter(caller__username="caller")
    asked = theirs.filter(hold_reason=HoldReason.CALLER).first()
    followed = asked or theirs.filter(active=True).first() or theirs.first()
    solved = theirs.filter(state="resolved").first()
    pages = [
        Shot("sign-in", "", "/login/"),
        Shot("my-work", "agent", "/desk/"),
        Shot("incidents", "agent", "/incidents/"),
        Shot("incidents-all", "lead", "/incidents/?view=all"),
        Shot("new-incident", "agent", "/incidents/new/"),
        Shot("search", "agent", "/search/?q=printer"),
        Shot("profile", "agent", "/profile/"),
        Shot("mailbox", "admin", "/settings/mailbox/"),
        Shot("design", "admin", "/settings/design/"),
        Shot("api", "agent", "/api/docs/"),
        Shot("portal", "caller", "/portal/"),
        Shot("portal-report", "caller", "/portal/new/"),
        Shot("portal-tickets", "caller", "/portal/tickets/"),
        Shot("not-found", "caller", "/portal/tickets/INC0000000/"),
    ]
    if record is not None and chinese is not None:
        pages.append(Shot("record", "agent", f"/incidents/{record.number}/"))
        pages.append(Shot("record-chinese", "agent", f"/incidents/{chinese.number}/"))
        if record.clocks.filter(metric="resolution").exists():
            why = f"/incidents/{record.number}/why/resolution/"
            pages.append(Shot("why-this-time", "agent", why))
    for name, ticket in (("portal-ticket", followed), ("portal-solved", solved)):
        if ticket is not None:
            pages.append(Shot(name, "caller", f"/portal/tickets/{ticket.number}/"))
    return pages


class AskedLanguage:
    """The language that a picture is to be in, without changing what the person prefers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.headers.get(LANGUAGE_HEADER)
        if asked in LANGUAGES and isinstance(request.user, User):
            request.user.language = asked
        return self.get_response(request)


class Command(BaseCommand):
    help = "Takes pictures of every main page; the best of them go to docs/pictures/."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, default=Path("test-results/screenshots"))
        parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"))
        parser.add_argument("--only", default="", help="pages whose name holds this text")
        parser.add_argument("--kept", action="store_true", help="only what docs/pictures/ needs")

    def handle(self, *_args: Any, **options: Any) -> None:
        browser = find_browser()
        self._prepare()
        pages = [page for page in shots() if options["only"] in page.name]
        if not pages:
            raise CommandError(f"No page's name holds “{options['only']}”.")
        cookies = {page.who: session_cookie(page.who) for page in pages if page.who}
        connections.close_all()
        with serving() as base:
            made = take_all(browser, base, pages, cookies, options["out"], kept=options["kept"])
        self.stdout.write(f"{made} pictures in {options['out']}/")
        for one in KEPT:
            source = options["out"] / file_name(one.shot, one.width, one.scheme, one.language)
            if source.exists() and options["only"] in one.shot:
                target = options["pictures"] / f"{one.name}.png"
                size = shrink(source, target)
                self.stdout.write(f"{target}  {size // 1000} KB")

    def _prepare(self) -> None:
        """A schema, the demo company and the static files; each a moment where it is there."""
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_demo", stdout=self.stdout)
        if not settings.DEBUG:
            call_command("collectstatic", verbosity=0, interactive=False)


def find_browser() -> str:
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        raise CommandError("Playwright is missing: run `make dev` first.") from error
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise CommandError("No Chromium found: run `python3 deploy/setup.py browser` first.")


def session_cookie(username: str) -> str:
    """A signed-in session of that account."""
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no account “{username}”: pictures need the demo company.")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.set_expiry(3600)
    session.create()
    return str(session.session_key)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        return


@contextmanager
def serving() -> Iterator[str]:
    """This installation's pages on a free port of this machine; gives the address."""
    middleware = list(settings.MIDDLEWARE)
    place = middleware.index("spine.people.middleware.PreferencesMiddleware")
    middleware.insert(place, f"{AskedLanguage.__module__}.{AskedLanguage.__qualname__}")
    settings.MIDDLEWARE = middleware
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "127.0.0.1"]
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def file_name(shot: str, width: int, scheme: str, language: str) -> str:
    return f"{shot}.{width}.{scheme}.{language}.png"


def take_all(
    browser: str,
    base: str,
    pages: list[Shot],
    cookies: dict[str, str],
    out: Path,
    *,
    kept: bool,
) -> int:
    """Every page on every screen; `kept`: only those of KEPT. Returns how many were taken."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    wanted = {file_name(one.shot, one.width, one.scheme, one.language) for one in KEPT}
    flags = ["--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    made = 0
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=flags)
        for width, scheme, language in screens():
            for who in sorted({page.who for page in pages}):
                files = {
                    out / name: page.path
                    for page in pages
                    for name in [file_name(page.name, width, scheme, language)]
                    if page.who == who and (name in wanted or not kept)
                }
                if not files:
                    continue
                context = _context(chromium, width, scheme, language)
                if who:
                    name = settings.SESSION_COOKIE_NAME
                    context.add_cookies([{"name": name, "value": cookies[who], "url": base}])
                made += _take(context, base, files)
                context.close()
        chromium.close()
    return made


def screens() -> Iterator[tuple[int, str, str]]:
    for width in WIDTHS:
        for scheme in SCHEMES:
            for language in LANGUAGES:
                yield width, scheme, language


def _context(chromium: Browser, width: int, scheme: str, language: str) -> BrowserContext:
    return chromium.new_context(
        viewport={"width": width, "height": WIDTHS[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=LANGUAGES[language],
        reduced_motion="reduce",
        extra_http_headers={LANGUAGE_HEADER: language},
    )


def _take(context: BrowserContext, base: str, files: dict[Path, str]) -> int:
    page = context.new_page()
    for target, path in files.items():
        answer = page.goto(base + path)
        status = answer.status if answer is not None else 0
        if status >= 500 or (status >= 400 and "not-found" not in target.name):
            raise CommandError(f"{path} answered {status}.")
        page.wait_for_load_state("networkidle")
        page.evaluate("document.fonts.ready.then(() => true)")
        page.screenshot(path=target)
    return len(files)


def shrink(source: Path, target: Path, limit: int = PICTURE_BYTES) -> int:
    """The picture with as many colours as fit into `limit` octets. Returns its size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        full = picture.convert("RGB")
    for colors in (256, 128, 64, 32, 16):
        buffer = BytesIO()
        small = full.quantize(colors, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        small.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= limit or colors == 16:
            break
    target.write_bytes(buffer.getvalue())
    return buffer.tell()
