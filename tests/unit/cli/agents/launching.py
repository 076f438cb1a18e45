"""A launch as the agents' set-ups are given it."""

from collections.abc import Mapping
from pathlib import Path

from tests.unit.cli.world import MODELS

from tidegate.cli.agents.setup import Launch, Mode
from tidegate.cli.git_context import GitContext
from tidegate.cli.server_api import LaunchFacts, Model

BASE_URL = "https://gw.example/team"
KEY = "tg_the-secret-of-this-key"
GIT = GitContext(
    "github.com/acme/app", "feat/é\nx-evil: 1", "64994bf856105700228b7927d11b68e985aaf101"
)


def launching(
    root: Path,
    *,
    mode: Mode = Mode.ORGANIZATION,
    providers: frozenset[str] = frozenset({"anthropic", "openai"}),
    git: GitContext = GIT,
    environ: Mapping[str, str] | None = None,
    mcp: bool = False,
) -> Launch:
    folder, private = root / "work", root / "private"
    folder.mkdir(exist_ok=True)
    private.mkdir(mode=0o700)
    models = tuple(Model(**entry) for entry in MODELS)  # type: ignore[arg-type]  # plain dicts
    return Launch(
        base_url=BASE_URL,
        key=KEY,
        launch_id="lch_0123456789abcdef0123456789",
        mode=mode,
        facts=LaunchFacts("x", "auto", True, providers, models),
        git=git,
        folder=folder,
        private_folder=private,
        environ=environ or {},
        mcp=mcp,
    )
