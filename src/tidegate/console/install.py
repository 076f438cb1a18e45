"""What a developer's machine fetches: the install page, the scripts, the wheel."""

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tidegate.console.setup_steps import install_command, login_command, powershell_command
from tidegate.console.web import Web
from tidegate.services import delivery


class Install:
    def __init__(self, web: Web) -> None:
        self._web = web
        self._url = web.options.public_url.rstrip("/")

    def routes(self) -> list[Route]:
        return [
            Route("/install/", self.page),
            Route("/install/install.sh", self.shell_script),
            Route("/install/install.ps1", self.powershell_script),
            Route("/install/{filename}", self.wheel),
        ]

    async def page(self, request: Request) -> Response:
        wheel = await run_in_threadpool(delivery.own_wheel)
        return self._web.page(
            request,
            "install.html",
            shell_command=install_command(self._url),
            powershell_command=powershell_command(self._url),
            login_command=login_command(self._url, "CODE"),
            wheel_path=f"/install/{wheel.filename}",
        )

    async def shell_script(self, request: Request) -> Response:
        wheel = await run_in_threadpool(delivery.own_wheel)
        return _text(delivery.shell_script(self._url, wheel))

    async def powershell_script(self, request: Request) -> Response:
        wheel = await run_in_threadpool(delivery.own_wheel)
        return _text(delivery.powershell_script(self._url, wheel))

    async def wheel(self, request: Request) -> Response:
        wheel = await run_in_threadpool(delivery.own_wheel)
        if request.path_params["filename"] != wheel.filename:
            raise HTTPException(404)
        etag = f'"{wheel.sha256}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(wheel.content, media_type="application/zip", headers=headers)


def _text(script: str) -> Response:
    """Plain text, so that a browser shows what a shell would run."""
    return Response(script, media_type="text/plain; charset=utf-8")
