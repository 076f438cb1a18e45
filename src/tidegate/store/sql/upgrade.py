"""Runs Alembic, on a connection and transaction of ours."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def revisions(schema: str) -> set[str]:
    """Every revision that this release knows."""
    scripts = ScriptDirectory.from_config(_config(schema))
    return {script.revision for script in scripts.walk_revisions()}


def run(connection: sa.Connection, schema: str, version_table: str, revision: str = "head") -> None:
    """Run what is missing to this release's revision, or to an earlier one."""
    config = _config(schema)
    config.attributes.update(connection=connection, version_table=version_table)
    command.upgrade(config, revision)


def _config(schema: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("version_locations", str(_SCRIPTS / schema).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config
