# What every script of this folder starts with. Source it right after `set -euo pipefail`:
#
#   source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/_lib.sh"
#
# It sets ROOT (the tree that runs), VENV and SLUICE_HOME, answers --help from the script's own
# header, and, as root, makes sure that the service user can read the tree. `module tasks.x ARGS`
# then replaces the script by that Python module, run as the service user.
# shellcheck shell=bash

ROOT=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
VENV=$ROOT/.venv
STATE_DIR=/var/lib/sluice

say() { printf '%s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The script's header comment, without the shebang, is its help.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }

answer_help() {
  local argument
  for argument in "$@"; do
    case $argument in
      -h | --help) usage && exit 0 ;;
      --) return 0 ;;
    esac
  done
}

is_root() { [ "$(id -u)" = 0 ]; }

# Root never runs the server as root: SLUICE_USER, else the owner of var/, else sluice or nobody.
choose_service_user() {
  local owner=
  SERVICE_USER=$(id -un 2>/dev/null) || SERVICE_USER=$(id -u)
  is_root || return 0
  [ -d "${SLUICE_HOME:-$ROOT/var}" ] && owner=$(stat -Lc %U "${SLUICE_HOME:-$ROOT/var}")
  if [ -n "${SLUICE_USER:-}" ]; then
    SERVICE_USER=$SLUICE_USER
  elif [ -n "$owner" ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    SERVICE_USER=$owner
  elif id -u sluice >/dev/null 2>&1; then
    SERVICE_USER=sluice
  else
    SERVICE_USER=nobody
  fi
  id -u "$SERVICE_USER" >/dev/null 2>&1 || fail "the user $SERVICE_USER (SLUICE_USER) does not exist"
  [ "$(id -u "$SERVICE_USER")" != 0 ] || fail "SLUICE_USER must not be root"
}

# AS_SERVICE before a command runs it as the service user; empty unless run as root.
choose_launcher() {
  AS_SERVICE=()
  is_root || return 0
  AS_SERVICE=(setpriv --reuid "$SERVICE_USER" --regid "$(id -g "$SERVICE_USER")")
  AS_SERVICE+=(--clear-groups --no-new-privs --)
}

# The files of the tree: what git tracks or would track; without git, all but generated files.
list_tree() {
  git -C "$ROOT" -c safe.directory='*' ls-files -coz --exclude-standard 2>/dev/null ||
    (cd "$ROOT" && find . \( -name .git -o -name .venv -o -path ./var -o -name __pycache__ \) \
      -prune -o -type f -print0)
}

# Root's checkout may be in a folder that the service user cannot read, such as /root or a private
# temporary folder. Then the tree is copied to /var/lib/sluice and the script continues there.
# Safe if several scripts do it at once: one at a time holds the lock, and it copies only if the
# tree has changed since the stamp was written.
go_where_the_service_can_read() {
  is_root || return 0
  "${AS_SERVICE[@]}" test -r "$ROOT/setup.cfg" -a -r "$ROOT/tasks/__init__.py" 2>/dev/null && return 0
  local place mirror stamp
  place=$STATE_DIR/$(printf %s "$ROOT" | sha256sum | cut -c1-12)
  mirror=$place/app
  install -d -m 755 "$STATE_DIR" "$place" "$mirror"
  exec 9>"$place/lock"
  flock 9
  stamp=$(cd "$ROOT" && list_tree | sort -z |
    xargs -0 stat -c '%n %s %Y %a' 2>/dev/null | sha256sum)
  if [ "$stamp" != "$(cat "$place/stamp" 2>/dev/null)" ]; then
    rm -f "$place/stamp"
    copy_tree "$mirror"
    printf '%s\n' "$stamp" >"$place/stamp"
    printf '%s cannot read %s: running from its copy %s\n' "$SERVICE_USER" "$ROOT" "$mirror" >&2
  fi
  exec 9>&-
  "${AS_SERVICE[@]}" test -r "$mirror/setup.cfg" || fail "$SERVICE_USER cannot read $mirror"
  export SLUICE_HOME=${SLUICE_HOME:-$place/var}
  exec "$mirror/scripts/${0##*/}" "$@"
}

copy_tree() {
  (cd "$ROOT" && list_tree | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done | tar --null --no-recursion -cf - -T -) | tar -xf - -C "$1" --no-same-owner
  (cd "$1" && find . \( -path ./.venv -o -path ./var \) -prune -o -type f -print0) |
    while IFS= read -r -d '' file; do
      [ -e "$ROOT/$file" ] || rm -f "$1/$file"
    done
  chmod -R go+rX,go-w "$1"
}

# The environment of `up` applies while that stack runs, and overrides this shell's: so
# `PORT=9000 scripts/up` and then `scripts/status` use the same server.
load_environment() {
  local name value
  [ -r "$SLUICE_HOME/run/environment" ] || return 0
  while IFS='=' read -r name value; do
    export "$name=$value"
  done <"$SLUICE_HOME/run/environment"
}

# Fails with what to do if the service user cannot use SLUICE_HOME. Without it, a script would say
# that nothing runs, or show a traceback.
require_home() {
  [ -d "$SLUICE_HOME" ] || return 0
  "${AS_SERVICE[@]}" test -r "$SLUICE_HOME" -a -w "$SLUICE_HOME" -a -x "$SLUICE_HOME" ||
    refuse_home
}

refuse_home() {
  local owner
  owner=$(stat -Lc %U "$SLUICE_HOME")
  if is_root; then
    fail "$SERVICE_USER cannot use $SLUICE_HOME, which belongs to $owner:" \
      "run chown -R $SERVICE_USER on it, or set another SLUICE_USER or SLUICE_HOME"
  fi
  fail "$SERVICE_USER cannot use $SLUICE_HOME: run this as its owner, $owner, or as root"
}

# As root: says as whom Sluice runs, and how it gets a user of its own if that one is shared.
say_service_user() {
  is_root || return 0
  printf '  %-12s %s\n' user "$SERVICE_USER"
  [ "$SERVICE_USER" = nobody ] || return 0
  printf '  %-12s %s\n' '' "Other programs may run as nobody too: they could read the secrets." \
    '' "To give Sluice a user of its own, as root:" \
    '' "  useradd --system --home-dir /var/lib/sluice sluice" \
    '' "  scripts/down; chown -R sluice: $SLUICE_HOME; scripts/up"
}

# Replaces the script by a Python module, as the service user, with the environment of `up`.
module() {
  umask 077
  [ -x "$VENV/bin/python" ] || fail "nothing is installed yet: run scripts/up first"
  require_home
  load_environment
  service_environment
  exec "${AS_SERVICE[@]}" "$VENV/bin/python" -m "$@"
}

# The service user can use neither root's home nor a private temporary folder.
#
# `python -m` would import `models` and `tasks` from the current folder, if it has any.
# PYTHONSAFEPATH removes that folder from the path, PYTHONPATH adds this tree.
service_environment() {
  unset PYTHONHOME
  export PYTHONPATH=$ROOT PYTHONSAFEPATH=1
  is_root || return 0
  export HOME=$SLUICE_HOME
  if ! "${AS_SERVICE[@]}" test -w "${TMPDIR:-/tmp}" -a -x "${TMPDIR:-/tmp}"; then
    export TMPDIR=/tmp
  fi
}

answer_help "$@"
choose_service_user
choose_launcher
go_where_the_service_can_read "$@"
SLUICE_HOME=$(readlink -m "${SLUICE_HOME:-$ROOT/var}")
export SLUICE_HOME
