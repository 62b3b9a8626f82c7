"""serve and keys refuse what is unsafe with a sentence, and manage who may connect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.server.cli import app
from backend.server.keys import load_key_pair, new_key_pair
from backend.server.parent import ParentWatch

pytestmark = pytest.mark.timeout(30)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_keys_are_added_listed_and_revoked(tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path / "state")
    code, public = run("keys", "new", tmp_path / "anna" / "client.key")
    assert (code, public.strip()) == (0, load_key_pair(tmp_path / "anna" / "client.key").public)
    assert run("keys", "add", "anna", public.strip(), *state)[0] == 0
    assert public.strip() in run("keys", "list", *state)[1]
    assert run("keys", "revoke", "anna", *state)[0] == 0
    assert run("keys", "list", *state) == (0, "")
    assert load_key_pair(
        tmp_path / "state" / "keys" / "server.key" if run("keys", "show", *state)[0] == 0 else tmp_path
    )


def test_a_key_that_begins_like_an_option_is_a_key(tmp_path: Path) -> None:
    for key in ("-" + "a" * 39, "--" + "a" * 38, "-h" + "=" * 38):
        assert run("keys", "add", "anna", key, "--state-dir", tmp_path / "state")[0] == 0
        assert key in run("keys", "list", "--state-dir", tmp_path / "state")[1]


def test_wrong_keys_and_names_are_refused(tmp_path: Path) -> None:
    state = ("--state-dir", tmp_path / "state")
    assert run("keys", "add", "anna", "short", *state) == (2, "A public key is 40 characters of Z85.\n")
    assert run("keys", "add", 'a"b', new_key_pair().public, *state)[0] == 2
    assert run("keys", "revoke", "anna", *state) == (2, "No key is named anna.\n")
    run("keys", "new", tmp_path / "k" / "a.key")
    assert run("keys", "new", tmp_path / "k" / "a.key")[0] == 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--listen", "0.0.0.0:0"], "no key is allowed in yet"),
        (["--listen", "nonsense"], "must be host:port"),
        (["--listen", "127.0.0.1:99999"], "must be host:port"),
        (["--listen", "no.such.host.invalid:7123", "--authorized-keys", "/dev/null"], "Cannot listen on"),
        (["--threads", "0"], "at least 1"),
        (["--pipeline", "os.system('x')"], "must be module:callable"),
        (["--allow-key-file", "missing.pub"], "missing.pub"),
    ],
)
def test_serve_refuses_with_a_sentence(tmp_path: Path, options: list[str], sentence: str) -> None:
    code, output = run("serve", "--weights", tmp_path, "--state-dir", tmp_path / "state", *options)
    assert code == 2
    assert sentence in output
    assert not (tmp_path / "state" / "connection.json").exists()


def test_the_gateway_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, backend.server.cli; sys.exit(bool({'torch', 'numpy', 'scipy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_parent_watch_sees_the_end_of_a_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    watch = ParentWatch(process.pid)
    assert not watch.gone()
    process.communicate(b"\n")
    assert watch.gone()
    assert not ParentWatch(os.getppid()).gone()
