# Creates .venv and installs the requirements of setup.cfg. Source it after _lib.sh.
# shellcheck shell=bash

PYTHON_NAMES="python3.13 python3.12 python3.11 python3.14 python3"

# The first Python of 3.11 or newer that the service user can also run.
find_python() {
  local name path
  for name in ${PYTHON:-$PYTHON_NAMES}; do
    while IFS= read -r path; do
      if usable_python "$path"; then
        printf '%s\n' "$path"
        return 0
      fi
    done < <(type -ap "$name")
  done
  fail "needs Python 3.11 or newer that $SERVICE_USER can run (Debian: apt install python3)"
}

usable_python() {
  "${AS_SERVICE[@]}" "$1" -I -c 'import ssl, sys, venv, zlib; sys.exit(sys.version_info < (3, 11))' \
    >/dev/null 2>&1
}

# install_packages [EXTRA...]: does nothing if the stamp in .venv says that all is installed.
install_packages() {
  local python=$VENV/bin/python
  if [ -x "$python" ] &&
    "${AS_SERVICE[@]}" "$python" -I "$ROOT/scripts/_install.py" --check "$@" 2>/dev/null; then
    return 0
  fi
  usable_python "$python" || python=$(find_python)
  (umask 022 && unset PYTHONPATH PYTHONHOME && "$python" -I "$ROOT/scripts/_install.py" "$@")
}

# Extras that the settings require: the client of a bucket is optional.
extras() {
  local storage=${STORAGE_URL:-}
  [ -n "$storage" ] ||
    storage=$(sed -n "s/^ *STORAGE_URL *= *[\"']*//p" "$SLUICE_HOME/sluice.env" 2>/dev/null | tail -1)
  [[ $storage != s3://* ]] || printf s3
}

# SLUICE_HOME belongs to the service user; root changes its owner only while it is empty.
make_home() {
  if [ ! -d "$SLUICE_HOME" ]; then
    mkdir -p "$(dirname "$SLUICE_HOME")"
    mkdir -m 700 "$SLUICE_HOME"
  fi
  if is_root && [ "$(stat -c %U "$SLUICE_HOME")" = root ]; then
    [ -z "$(ls -A "$SLUICE_HOME")" ] || refuse_home
    chown "$SERVICE_USER:$(id -g "$SERVICE_USER")" "$SLUICE_HOME"
    "${AS_SERVICE[@]}" test -x "$SLUICE_HOME" || move_home
  fi
  require_home
}

# Replaces an empty SLUICE_HOME that the service user cannot reach by a link to one that it can.
move_home() {
  local place
  install -d -m 755 "$STATE_DIR"
  place=$(mktemp -d "$STATE_DIR/home.XXXXXX")
  chown "$SERVICE_USER:$(id -g "$SERVICE_USER")" "$place"
  rmdir "$SLUICE_HOME"
  ln -s "$place" "$SLUICE_HOME"
  say "$SERVICE_USER cannot reach $SLUICE_HOME: it is now a link to $place"
  SLUICE_HOME=$place
}
