#!/usr/bin/env bash
# Builds the container image and runs it the way the README says, only stricter; fails on the first untrue promise.
#
# Needs curl and either a Docker engine that answers or podman and buildah (Debian: podman buildah runc).
# Run as root it gives the container a network of its own and talks to it from inside that; otherwise it publishes
# a port on 127.0.0.1.
#   SOCKSCOPE_BASE_IMAGES=SCRIPT  makes the base images where they cannot be pulled; called as `SCRIPT rust node`
#   SOCKSCOPE_IMAGE=TAG           tests this image instead of building one
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "container: $*" >&2; }
die() { echo "container: error: $*" >&2; exit 1; }
# Runs a command until it succeeds, at most SECONDS long.
until_true() { # SECONDS WHAT COMMAND…
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || die "waited in vain until $what"
    sleep 0.1
  done
}

command -v curl >/dev/null || die "curl is missing"
if docker version >/dev/null 2>&1; then engine=docker
elif command -v podman >/dev/null && command -v buildah >/dev/null; then engine=podman
else die "neither a Docker engine nor podman with buildah (Debian: apt-get install podman buildah runc)"; fi

image=${SOCKSCOPE_IMAGE:-sockscope:test}
name=sockscope-test-$$
token=container-test-$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
work=$(mktemp -d)
viewer=""
cleanup() {
  [ -z "$viewer" ] || kill "$viewer" 2>/dev/null || true
  "$engine" rm -f "$name" "$name-raw" >/dev/null 2>&1 || true
  rm -rf -- "$work"
}
trap cleanup EXIT

# ---- the image

have() { "$engine" image inspect "$1" >/dev/null 2>&1; }
base_images() {
  local base missing=""
  while read -r base; do
    have "$base" || timeout 300 "$engine" pull -q "$base" >/dev/null 2>"$work/pull.log" || missing=$base
  done < <(sed -n 's/^FROM \([^ ]*:[^ ]*\).*/\1/p' Dockerfile)
  [ -n "$missing" ] || return 0
  [ -n "${SOCKSCOPE_BASE_IMAGES:-}" ] || { cat "$work/pull.log" >&2; die "cannot pull $missing"; }
  say "no registry answers; making the base images"
  if [ "$engine" = docker ]; then "$SOCKSCOPE_BASE_IMAGES" --docker rust node
  else "$SOCKSCOPE_BASE_IMAGES" rust node; fi
}
build() {
  if [ "$engine" = docker ]; then
    DOCKER_BUILDKIT=1 docker build --network host -t "$image" .
  else
    # chroot isolation and the host's network: builds on machines where containers cannot have cgroups of their own.
    buildah bud --isolation chroot --pull-never --format docker --layers -t "$image" .
  fi
}
if [ -z "${SOCKSCOPE_IMAGE:-}" ]; then
  base_images
  say "building with $engine"
  build
fi

inspect() { "$engine" image inspect --format "$1" "$image"; }
expect() { # WHAT WANTED GOT
  [ "$2" = "$3" ] || die "$1: wanted $2, got $3"
  say "ok: $1 is $2"
}
size=$(inspect '{{.Size}}')
[ "$size" -lt 12000000 ] || die "the image has $size bytes, 12 MB is the promise"
say "ok: the image has $size bytes"
expect "user" 65532:65532 "$(inspect '{{.Config.User}}')"
expect "stop signal" SIGTERM "$(inspect '{{.Config.StopSignal}}')"
case $(inspect '{{json .Config.Env}}') in
  *'"SOCKSCOPE_LISTEN=0.0.0.0:7625"'*) ;;
  *) die "the image does not listen on 0.0.0.0:7625" ;;
esac

# ---- the container

run=(run -d --name "$name" -e "SOCKSCOPE_TOKEN=$token"
  --read-only --cap-drop ALL --security-opt no-new-privileges --memory 256m --pids-limit 256
  # Explicit, because podman's own defaults may lie above this machine's hard limits.
  --ulimit nofile=4096:4096)
if [ "$(id -u)" = 0 ]; then run+=(--network none); else run+=(-p 127.0.0.1::7625); fi
if [ "$engine" = podman ]; then
  # Without systemd podman cannot time health checks, says so as an error, and we call the check ourselves.
  run=(--log-level fatal --runtime runc "${run[@]}" --ulimit nproc=1024:1024 --health-interval=disable)
fi
"$engine" "${run[@]}" "$image" >/dev/null

state() { "$engine" inspect --format "$1" "$name"; }
logs() { "$engine" logs "$name" 2>&1; }
pid=$(state '{{.State.Pid}}')
if [ "$(id -u)" = 0 ]; then
  authority=127.0.0.1:7625
  http() { nsenter -t "$pid" -n curl -sS --max-time 20 "$@"; }
else
  authority=$("$engine" port "$name" 7625)
  http() { curl -sS --max-time 20 "$@"; }
fi

healthy() {
  [ "$(state '{{.State.Running}}')" = true ] || { logs >&2; die "it ended by itself"; }
  if [ "$engine" = podman ]; then podman --runtime runc healthcheck run "$name" >/dev/null 2>&1
  else [ "$(state '{{.State.Health.Status}}')" = healthy ]; fi
}
until_true 60 "it is healthy" healthy
say "ok: healthy"

field() { # NAME FROM-PID-STATUS
  sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"
}
expect "effective capabilities" 0000000000000000 "$(field CapEff)"
expect "permitted capabilities" 0000000000000000 "$(field CapPrm)"
expect "no-new-privileges" 1 "$(field NoNewPrivs)"
uid=$(field Uid)
expect "uid" 65532 "${uid%%[[:space:]]*}"
expect "read-only root" true "$(state '{{.HostConfig.ReadonlyRootfs}}')"

# ---- a conversation through the API

api=http://$authority/api/v1
ask() { http --fail-with-body -H "Authorization: Bearer $token" "$@"; }
post() { ask -H 'Content-Type: application/json' -d "$2" "$api$1"; }
# The value of the first "KEY":"…" in a JSON text; ids and targets need no unescaping.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }

expect "an answer without the token" 401 "$(http -o /dev/null -w '%{http_code}' "$api/workspaces/default/sockets")"
http --fail -o "$work/index.html" "http://$authority/"
script=$(sed -n 's/.*<script[^>]* src="\(\/[^"]*\.js\)".*/\1/p' "$work/index.html" | head -n 1)
[ -n "$script" ] || die "the page names no script: the image carries the stand-in, not the page"
http --fail -o /dev/null "http://$authority/${script#/}"
say "ok: the page and its script are served"

target=$(post /workspaces/default/practice '{"peer":"echo"}' | value target)
socket=$(post /workspaces/default/sockets "{\"open\":\"$target\"}" | value id)
say "ok: $socket is open to $target"
# A viewer, so that there is one to be told when it ends.
ask --max-time 60 -N -H 'Accept: text/event-stream' "$api/workspaces/default/events?after=0" >"$work/viewer" &
viewer=$!
post "/workspaces/default/sockets/$socket/send" '{"text":"hello"}' >/dev/null
echoed() {
  ask "$api/workspaces/default/events?after=0&socket=$socket&type=received&wait=5" | grep -q '"payload":"aGVsbG8="'
}
until_true 10 "hello comes back" echoed
until_true 10 "the viewer saw it" grep -q '"payload":"aGVsbG8="' "$work/viewer"
say "ok: hello came back"

exec_flags=()
if [ "$engine" = podman ]; then exec_flags=(--runtime runc); fi
"$engine" "${exec_flags[@]}" exec "$name" /sockscope link >"$work/link"
grep -q '^http://.*/#c=' "$work/link" || die "\`sockscope link\` printed no link: $(cat "$work/link")"
say "ok: a fresh link by exec"

sight=$(ask "$api/workspaces/default/kernel")
case $sight in
  *'"sock_diag":{"active":true}'*'"segments":{"active":false,"errno":"EPERM"}'*) say "ok: without a capability, level 2 of 3" ;;
  *) die "without a capability the kernel shows: $sight" ;;
esac

# ---- the end

begun=$(date +%s%N)
"$engine" "${exec_flags[@]}" kill --signal TERM "$name" >/dev/null
code=$(timeout 10 "$engine" wait "$name") || die "still running 10 s after SIGTERM"
took=$((($(date +%s%N) - begun) / 1000000))
expect "exit code after SIGTERM" 0 "$code"
[ "$took" -lt 5000 ] || die "it took $took ms to end, 5 s is the promise"
say "ok: ended in $took ms"
viewer_ended() { ! kill -0 "$viewer" 2>/dev/null; }
until_true 5 "the viewer's stream ends" viewer_ended
viewer=""
if logs | grep -qF "$token"; then die "the token is in the log"; fi
# ---- another command as the container's first process, and processes of its own beside it

once=(run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --memory 256m --pids-limit 256
  --network none --ulimit nofile=4096:4096)
[ "$engine" != podman ] || once=(--log-level fatal --runtime runc "${once[@]}" --ulimit nproc=1024:1024)
"$engine" "${once[@]}" "$image" compare --seconds 1 --rate 50 --viewers 3 >"$work/compare" ||
  { cat "$work/compare" >&2; die "compare failed in a container"; }
grep -q '^websocket ' "$work/compare" || die "compare printed no table"
say "ok: compare measures in a container"

# ---- the one capability that shows segments, as docs/KERNEL.md says

"$engine" "${run[@]//$name/$name-raw}" --user 0 --cap-add NET_RAW "$image" >/dev/null
pid=$("$engine" inspect --format '{{.State.Pid}}' "$name-raw")
if [ "$(id -u)" != 0 ]; then
  authority=$("$engine" port "$name-raw" 7625)
  api=http://$authority/api/v1
fi
raw_answers() { ask "$api/workspaces/default/kernel" >"$work/sight" 2>/dev/null; }
until_true 30 "the one with NET_RAW answers" raw_answers
grep -q '"segments":{"active":true}' "$work/sight" || die "with NET_RAW the kernel shows: $(cat "$work/sight")"
say "ok: with NET_RAW alone, level 3 of 3"

say "all promises hold"
