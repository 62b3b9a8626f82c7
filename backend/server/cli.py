"""`omni123 serve` and `omni123 keys`; also alone: python -m backend.server.cli serve ..."""

from __future__ import annotations

import logging
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Annotated, NoReturn

import platformdirs
import typer
import zmq

from .access import AUTHORIZED_KEYS, read_authorized, write_authorized
from .config import ServerConfig
from .gateway import Gateway, run_until_signalled
from .keys import (
    KeyFileError,
    check_public_key,
    ensure_key_pair,
    fingerprint,
    load_key_pair,
    new_key_pair,
    save_key_pair,
)

app = typer.Typer(no_args_is_help=True, add_completion=False)
keys_app = typer.Typer(no_args_is_help=True, help="Who may use a backend on this machine.")
app.add_typer(keys_app, name="keys")

DEFAULT_STATE_DIR = Path(platformdirs.user_data_dir("omni123", appauthor=False)) / "server"
StateDir = Annotated[Path, typer.Option(help="Keys, logs and connection.json; private to its user.")]
BUNDLED = Path(__file__).resolve().parents[1] / "weights" / "mini"
Device = Annotated[str, typer.Option(help="auto, cpu or cuda; auto takes a GPU where there is one.")]
Compute = Annotated[
    str, typer.Option(help="How weights are held: float32, bfloat16 or int8; auto as suits the device.")
]
LOG_BYTES = 1 << 20


@app.command()
def serve(
    weights: Annotated[Path, typer.Option(help="Folder of the model's weights; default: bundled.")] = BUNDLED,
    listen: Annotated[str, typer.Option(help="host:port; port 0 is a free one.")] = "127.0.0.1:0",
    state_dir: StateDir = DEFAULT_STATE_DIR,
    connection_file: Annotated[
        Path | None, typer.Option(help="Default: connection.json in the state folder.")
    ] = None,
    authorized_keys: Annotated[
        Path | None, typer.Option(help=f"Default: {AUTHORIZED_KEYS} in the state folder.")
    ] = None,
    allow_key_file: Annotated[
        list[Path] | None, typer.Option(help="Public keys to let in, one a line.")
    ] = None,
    exit_with_parent: Annotated[int | None, typer.Option(help="End when this process id does.")] = None,
    threads: Annotated[int | None, typer.Option(help="Of the model; default: the machine's.")] = None,
    device: Device = "auto",
    compute: Compute = "auto",
    pipeline: Annotated[
        str, typer.Option(help="module:callable that loads the weights.")
    ] = ServerConfig.pipeline,
) -> None:
    """Start a backend: a gateway on LISTEN and a worker with the model."""
    try:
        config = ServerConfig(
            weights=weights.absolute(),
            state_dir=state_dir.absolute(),
            listen=listen,
            connection_file=connection_file,
            authorized_keys=authorized_keys,
            allow_key_files=tuple(allow_key_file or ()),
            exit_with_parent=exit_with_parent,
            threads=threads,
            device=device,
            compute=compute,
            pipeline=pipeline,
        )
        gateway = Gateway(config)
    except zmq.ZMQError as error:
        _fail(f"Cannot listen on {listen}: {error.strerror}.")
    except (ValueError, OSError) as error:
        _fail(str(error))
    _log_to(state_dir)
    where = gateway.connection
    typer.echo(f"omni123://{where.url.removeprefix('tcp://')}/#{where.server_key}")
    run_until_signalled(gateway)


@keys_app.command()
def new(path: Annotated[Path, typer.Argument(help="Where to write the key pair.")]) -> None:
    """Make a client's key pair; show the half to give away."""
    try:
        pair = new_key_pair()
        save_key_pair(path.absolute(), pair)
    except FileExistsError:
        _fail(f"{path} is there already.")
    except KeyFileError as error:
        _fail(str(error))
    typer.echo(pair.public)


@keys_app.command()
def show(
    path: Annotated[Path | None, typer.Argument(help="A key pair; default: this server's.")] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
) -> None:
    """Show a public key and its fingerprint."""
    try:
        pair = load_key_pair(path) if path else ensure_key_pair(state_dir / "keys" / "server.key")
    except KeyFileError as error:
        _fail(str(error))
    typer.echo(f"{pair.public}  {fingerprint(pair.public)}")


# a key may begin with "-" and is still no option
@keys_app.command(context_settings={"ignore_unknown_options": True})
def add(name: str, key: str, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Let a public key in, under a name."""
    path, keys = _authorized(state_dir)
    if not re.fullmatch(r"[\w.@-]{1,64}", name):
        _fail(f"A name is letters, digits and . _ - @, not {name!r}.")
    try:
        keys[name] = check_public_key(key)
    except KeyFileError as error:
        _fail(str(error))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_authorized(path, keys)
    typer.echo(f"{name} {fingerprint(key)} may connect.")


@keys_app.command("list")
def list_keys(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Show who may connect."""
    for name, public in sorted(_authorized(state_dir)[1].items()):
        typer.echo(f"{name}  {fingerprint(public)}  {public}")


@keys_app.command()
def revoke(name: str, state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Shut a name's key out, at once."""
    path, keys = _authorized(state_dir)
    if name not in keys:
        _fail(f"No key is named {name}.")
    del keys[name]
    write_authorized(path, keys)
    typer.echo(f"{name} may no longer connect.")


def _authorized(state_dir: Path) -> tuple[Path, dict[str, str]]:
    try:
        path = state_dir / AUTHORIZED_KEYS
        return path, read_authorized(path)
    except KeyFileError as error:
        _fail(str(error))


def _log_to(state_dir: Path) -> None:
    """To state_dir/log/gateway.log: whoever starts the backend need not read its output."""
    folder = state_dir / "log"
    folder.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        handlers=[
            RotatingFileHandler(folder / "gateway.log", maxBytes=LOG_BYTES, backupCount=3, encoding="utf-8")
        ],
    )


def _fail(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
