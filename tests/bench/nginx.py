"""nginx as the plain proxy that ratios are taken against: one worker, kept-alive upstreams."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_UNPACKED: Final = Path(__file__).parents[2] / ".tools" / "nginx"
_LISTEN_BACKLOG: Final = 1024
_CONFIGURATION: Final = """
{user}
worker_processes 1;
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 2m;
    keepalive_requests 1000000000;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    upstream mock {{
        server 127.0.0.1:{upstream};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog={backlog};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 300s;
        }}
    }}
}}
"""


class NoNginx(Exception):
    """It is not here and cannot be had; the text says why."""


def find_nginx() -> Path:
    """nginx's program: the system's, else unpacked from Debian's package below `.tools`."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    program = Path(installed) if installed else _UNPACKED / "usr" / "sbin" / "nginx"
    if not program.exists():
        _unpack()
    try:
        subprocess.run([program, "-v"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as fault:
        raise NoNginx(f"nginx does not run: {fault}") from None
    return program


def version(program: Path) -> str:
    """For instance "1.22.1"."""
    said = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stderr
    return said.strip().rpartition("/")[2]


def _unpack() -> None:
    """Fetch Debian's package and unpack it, without installing: no service is started."""
    if shutil.which("apt-get") is None:
        raise NoNginx("no nginx on PATH, and this is no Debian to fetch it from")
    shutil.rmtree(_UNPACKED, ignore_errors=True)
    _UNPACKED.mkdir(parents=True)
    fetched = _download()
    if not fetched and os.geteuid() == 0:
        subprocess.run(["apt-get", "-qq", "update"], check=False, capture_output=True)
        fetched = _download()
    if not fetched:
        raise NoNginx("no nginx on PATH, and apt-get cannot fetch it (as root it would try more)")
    for package in fetched:
        subprocess.run(["dpkg-deb", "-x", package, _UNPACKED], check=True)


def _download() -> list[Path]:
    subprocess.run(
        ["apt-get", "-qq", "download", "nginx"], cwd=_UNPACKED, check=False, capture_output=True
    )
    return list(_UNPACKED.glob("*.deb"))


@contextlib.contextmanager
def run_nginx(program: Path, place: Path, upstream: int) -> Iterator[tuple[int, int]]:
    """Run it in front of the upstream's port; yields its process id and port.

    It inherits its listening socket from us (as in an upgrade of its program), so that the port is
    ours from the start. It listens on the socket before it starts: no connection is ever refused.
    """
    place.mkdir()
    with socket.create_server(("127.0.0.1", 0), backlog=_LISTEN_BACKLOG) as listener:
        port = listener.getsockname()[1]
        configuration = place / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                user="user root;" if os.geteuid() == 0 else "",
                place=place,
                port=port,
                upstream=upstream,
                backlog=_LISTEN_BACKLOG,
            )
        )
        with (place / "output.log").open("wb") as output:
            process = subprocess.Popen(
                [program, "-p", place, "-c", configuration, "-e", place / "error.log"],
                env={"NGINX": f"{listener.fileno()};", "PATH": os.environ.get("PATH", "")},
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
    try:
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)
