#!/bin/sh
# ngit-grasp @VERSION@ (@COMMIT@) in one file: this script, then an archive of the runtime and the program.
# The archive is unpacked once, into a private directory, and checked at every start. Nothing is fetched.
# Leading --allow-*, --deny-* and -A arguments replace the permissions; the rest is for the program.
set -u
CDPATH=
id=@ID@
sums='@SUMS@'

fail() {
  printf 'ngit-grasp: %s\n' "$1" >&2
  exit 1
}

# Is everything in directory $1 as it was packed?
intact() {
  sum='sha256sum'
  command -v sha256sum >/dev/null || sum='shasum -a 256'
  (cd "$1" && printf '%s\n' "$sums" | $sum -c -) >/dev/null 2>&1
}

# Makes directory $1 if need be. Holds when it is ours and nobody else may enter: strangers write to /tmp.
private() {
  case $1 in *,*) return 1 ;; /*) ;; *) return 1 ;; esac
  mkdir -p "${1%/*}" && { [ -d "$1" ] || mkdir -m 700 "$1" || [ -d "$1" ]; } || return 1
  [ ! -L "$1" ] && [ -O "$1" ] && chmod 700 "$1" && [ -w "$1" ]
} 2>/dev/null

# May programs be run from directory $1? Not when it is mounted noexec.
runnable() {
  printf '#!/bin/sh\n' >"$1/.probe.$$" && chmod 700 "$1/.probe.$$" && "$1/.probe.$$"
  result=$?
  rm -f "$1/.probe.$$"
  return $result
} 2>/dev/null

# Unpacks beside the target and renames: whoever starts at the same time sees all of it or nothing.
unpack() {
  runnable "$1" || return 1
  find "$1" -maxdepth 1 -name '.new.*' -mtime +0 -exec rm -rf {} + 2>/dev/null
  new=$(umask 077 && mktemp -d "$1/.new.XXXXXX") || return 1
  trap 'rm -rf "$new"' EXIT
  tail -n +@LINE@ "$0" | (umask 077 && cd "$new" && tar -xzmof -)
  unpacked=1
  if intact "$new"; then
    unpacked=0
    intact "$dir" || replace "$1" 2>/dev/null
  fi
  rm -rf "$new" "$dir/${new##*/}" "$1/.new.damaged.$$"
  trap - EXIT
  [ $unpacked -eq 0 ] && [ -d "$dir" ]
}

# Puts what was unpacked in its place. Whoever was faster has put the same there.
replace() {
  [ ! -e "$dir" ] || mv "$dir" "$1/.new.damaged.$$" || return 1
  mv "$new" "$dir"
}

trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
found=
for base in "${XDG_CACHE_HOME:-}/ngit-grasp" "${HOME:-}/.cache/ngit-grasp" "${TMPDIR:-/tmp}/ngit-grasp-$(id -u)"; do
  case $base in /ngit-grasp | /.cache/ngit-grasp) continue ;; esac
  private "$base" || continue
  dir=$base/$id
  { [ -d "$dir" ] && intact "$dir"; } || unpack "$base" || continue
  found=$dir
  break
done
[ "$found" ] || fail 'cannot unpack: the file is damaged, or neither $XDG_CACHE_HOME, $HOME/.cache nor $TMPDIR has 150 MB for programs'

case ${1:-} in
  -A | --allow-?* | --deny-?*) ;;
  *) set -- @PERMISSIONS@ "$@" ;;
esac
# Whoever grants little cannot know where the program itself is: that is added, unless all is granted.
grants=0 own_read=--allow-read=$dir own_ffi=--allow-ffi=$dir/@ADDON@
for argument do
  case $argument in
    -A | --allow-all) own_read='' own_ffi='' ;;
    --allow-read) own_read='' ;;
    --allow-ffi) own_ffi='' ;;
    --allow-?* | --deny-?*) ;;
    *) break ;;
  esac
  grants=$((grants + 1))
done
# The program stands between the grants and its own arguments.
index=0
for argument do
  [ $index -gt 0 ] || set -- ${own_read:+"$own_read"} ${own_ffi:+"$own_ffi"}
  [ $index -ne $grants ] || set -- "$@" "$dir/main.js"
  set -- "$@" "$argument"
  index=$((index + 1))
done
[ $index -gt $grants ] || set -- "$@" "$dir/main.js"

export DENO_DIR="$dir/cache" DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-mozilla,system}"
trap - HUP INT TERM
exec "$dir/ngit-grasp" run --no-prompt --quiet --no-config --no-lock --no-remote --no-npm --cached-only "$@"
