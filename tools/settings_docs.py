"""Write docs/settings.md from the settings table; with --check, say whether it is up to date."""

import sys
from pathlib import Path

from tidegate.config import CONFIG_FLAG, CONFIG_VARIABLE, SETTINGS
from tidegate.setting import Setting

TARGET = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
INTRODUCTION = f"""# Settings of `tidegate serve`

<!-- Made by tools/settings_docs.py from the table in src/tidegate/config.py. -->

Each setting can be given as a flag, as an environment variable, or as a key of a TOML file named
by `{CONFIG_FLAG} FILE` or `{CONFIG_VARIABLE}`. The flag wins over the variable, the variable over
the file, the file over the default. An unknown key in the file is refused.

Sizes are bytes or take a unit (`64KB`, `32MB`; 1 KB = 1,024 bytes). Times are seconds or take a
unit (`250ms`, `30s`, `5m`, `1h`). Lists are separated by commas; their flag may be repeated, and
in the file they may be arrays. Secrets have no flag, because other users of a machine can read
command lines.
"""


def render() -> str:
    """The whole document."""
    parts = [INTRODUCTION]
    for section in dict.fromkeys(setting.section for setting in SETTINGS):
        parts.append(f"\n## {section}\n")
        parts += [_entry(setting) for setting in SETTINGS if setting.section == section]
    return "".join(parts)


def _entry(setting: Setting) -> str:
    key = f"`{setting.toml_key}`" if setting.toml_key else "none"
    flag = f"`{setting.option}`" if setting.option else "none"
    default = f"`{setting.default}`" if setting.default else "none"
    if setting.fallback is not None and " " in setting.default:
        default = setting.default
    return (
        f"\n### {setting.option or setting.environment_variable}\n\n{setting.help}\n\n"
        f"- Flag: {flag}{' (repeatable)' if setting.several and setting.option else ''}\n"
        f"- Variable: `{setting.environment_variable}`\n- Key: {key}\n- Default: {default}\n"
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != render() and f"{TARGET} is out of date: run {sys.argv[0]}")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render())
