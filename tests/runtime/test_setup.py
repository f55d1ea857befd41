"""Set-up names the way out in one line, and skips what has not changed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with an empty checkout as its root."""
    spec = importlib.util.spec_from_file_location("setup_script", ROOT / "deploy" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    for name in ("DATABASE_URL", "ITSM_DEMO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ITSM_DATA_DIR", str(tmp_path / ".data"))
    return module


def failing(text: str) -> Callable[..., SimpleNamespace]:
    return lambda *_, **__: SimpleNamespace(returncode=1, stderr=text, stdout="")


@pytest.mark.parametrize("version", [(3, 8), (3, 10)])
def test_an_old_python_is_named(setup: ModuleType, version: tuple[int, int]) -> None:
    with pytest.raises(setup.SetupError, match=rf"Python 3\.{version[1]} is too old"):
        setup.check_python(version)
    setup.check_python((3, 11))


def test_a_full_disk_is_seen_before_anything_is_done(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 1024 * 1024))
    assert setup.main(["env"]) == 1
    error = capsys.readouterr().err
    assert "has 5 MB free, 2000 MB are needed" in error
    assert error.count("\n") == 1
    assert not (setup.ROOT / ".venv").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("npm error code ENOSPC", "The disk is full"),
        ("error: Failed to fetch: `https://index/simple/uv/`", "The package index does not answer"),
        ("npm error code ECONNREFUSED", "The package index does not answer"),
        ("invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
    ],
)
def test_failures_from_outside_are_one_line(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.setattr(setup, "attempt", failing(f"Traceback ...\n{text}\n"))
    with pytest.raises(setup.SetupError, match=expected) as caught:
        setup.run(["pip", "install", "uv"])
    assert "\n" not in str(caught.value)


def test_an_index_that_refuses_is_one_line() -> None:
    # The real script and the real pip, against a port on which nobody listens.
    code = (
        "import sys; sys.path.insert(0, 'deploy'); import setup\n"
        "try: setup.run([sys.executable, '-m', 'pip', 'install', '--retries', '0', 'no-such-x'])\n"
        "except setup.SetupError as error: print(error)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**environment, **nowhere},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("The package index does not answer: check the network")
    assert done.stdout.count("\n") == 1


def test_uv_is_tried_with_the_systems_certificates_then_pip(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[list[str]] = []

    def attempt(command: list[str], env: object = None) -> SimpleNamespace:
        tried.append(command)
        good = "-m" in command
        return SimpleNamespace(returncode=0 if good else 1, stderr="UnknownIssuer", stdout="")

    monkeypatch.setattr(setup, "attempt", attempt)
    setup.install_locked("requirements.lock")
    assert ["--native-tls" in command for command in tried] == [False, True, False]
    assert all("--require-hashes" in command for command in tried)


def test_steps_run_only_when_their_inputs_change(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(setup, "install_locked", installed.append)
    lock = setup.ROOT / "requirements.lock"
    lock.write_text("a==1")
    setup.dependencies("requirements.lock", also=["requirements-dev.lock"])
    setup.dependencies("requirements.lock", also=["requirements-dev.lock"])
    assert installed == ["requirements.lock"]
    lock.write_text("a==2")
    setup.dependencies("requirements.lock", also=["requirements-dev.lock"])
    assert len(installed) == 2


def test_a_new_database_gets_its_demo_again(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(setup, "manage", lambda *words, **_: ran.append(words[0]))
    command = setup.ROOT / "app" / "management" / "commands" / "load_demo.py"
    cluster = setup.data_dir() / "postgres"
    for folder in (command.parent, cluster):
        folder.mkdir(parents=True)
    command.touch()
    (cluster / "PG_VERSION").write_text("18")
    for _ in range(2):
        setup.database()
        setup.demo_data()
    assert ran == ["migrate", "load_demo"]
    (cluster / "PG_VERSION").unlink()
    (cluster / "PG_VERSION").write_text("18 ")
    os.utime(cluster / "PG_VERSION", ns=(1, 1))
    setup.database()
    setup.demo_data()
    assert ran == ["migrate", "load_demo"] * 2


@pytest.mark.parametrize(("wanted", "ran"), [("", []), ("0", []), ("1", ["load_demo"])])
def test_a_real_database_gets_no_demo(
    setup: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    ran: list[str],
) -> None:
    called: list[str] = []
    monkeypatch.setattr(setup, "manage", lambda *words, **_: called.append(words[0]))
    monkeypatch.setenv("DATABASE_URL", "postgres://desk@db/desk")
    monkeypatch.setenv("ITSM_DEMO", wanted)
    command = setup.ROOT / "app" / "management" / "commands" / "load_demo.py"
    command.parent.mkdir(parents=True)
    command.touch()
    setup.demo_data()
    assert called == ran
    assert ("is a real one: no demo company" in capsys.readouterr().out) == (not ran)


def test_two_setups_of_one_checkout_wait_for_each_other(setup: ModuleType) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import setup\n"
        "setup.ROOT = pathlib.Path(sys.argv[2])\n"
        "with setup.one_at_a_time(): print('in')"
    )
    with setup.one_at_a_time():
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(ROOT / "deploy"), str(setup.ROOT)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert "Waiting for another set-up" in other.stdout.readline()
    assert other.communicate()[0] == "in\n"
