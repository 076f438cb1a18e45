#!/bin/sh
# Install the Tidegate command line for this user: with uv or pipx if present, else in a virtual
# environment of its own. Needs no root, changes nothing but what it says.
set -eu

public_url=@PUBLIC_URL@
wheel_url=@WHEEL_URL@

fail() {
  printf 'tidegate: %s\n' "$1" >&2
  exit 1
}

suitable_python() {
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

install_in_venv() {
  home=${XDG_DATA_HOME:-$HOME/.local/share}/tidegate-cli
  "$1" -m venv --clear "$home" ||
    fail "$1 cannot make virtual environments. On Debian: apt-get install python3-venv. Then run this again."
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check "tidegate @ $wheel_url"
  mkdir -p "$HOME/.local/bin"
  ln -sf "$home/bin/tidegate" "$HOME/.local/bin/tidegate"
}

main() {
  if command -v uv >/dev/null 2>&1; then
    uv tool install --force --python '>=3.11' "tidegate @ $wheel_url"
  else
    python=$(suitable_python) ||
      fail 'Python 3.11 or newer is needed and was not found. Install it, or uv, and run this again.'
    if command -v pipx >/dev/null 2>&1; then
      pipx install --force --python "$python" "tidegate @ $wheel_url"
    else
      install_in_venv "$python"
    fi
  fi
  printf '\nTidegate is installed. With the code of your enrolment, run:\n\n'
  printf '  tidegate login %s CODE\n\n' "$public_url"
  if ! command -v tidegate >/dev/null 2>&1; then
    printf 'First add %s to your PATH and open a new terminal.\n' "$HOME/.local/bin"
  fi
}

main "$@"
