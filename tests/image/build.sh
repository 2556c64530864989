#!/usr/bin/env bash
# Build the lean image by buildah and run it, as root, without a container engine. The base image is PYTHON_IMAGE or,
# by default, a stand-in: Debian's own Python without caches and documentation, like Debian's slim images.
set -euo pipefail
cd "$(dirname "$0")/../.."
max_megabytes=400
work=$(mktemp -d)
trap 'echo "line $LINENO failed" >&2' ERR
build() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }
stop() { kill "$(cat "${tree:-}/tmp/process")"; }
trap 'stop 2>/dev/null || true; wait; build rm --all >/dev/null || true; rm -rf "$work"' EXIT

echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$work/policy.json"
base=${PYTHON_IMAGE:-localhost/python-stand-in}
if [ -z "${PYTHON_IMAGE:-}" ]; then
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $release" 'Component: main' 'Identifier: Packages' | head -n 1)
  debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates "$release" "$work/system" "$mirror" > "$work/log"
  rm -rf "$work"/system/var/{cache,lib}/apt/* "$work"/system/usr/share/{doc,locale,man,info}
  mkdir "$work/context"
  tar -C "$work/system" -cf "$work/context/base.tar" .
  printf 'FROM scratch\nADD base.tar /\n' > "$work/Dockerfile"
  build bud --quiet --signature-policy "$work/policy.json" --isolation chroot -f "$work/Dockerfile" -t "$base" "$work/context"
fi

build bud --quiet --signature-policy "$work/policy.json" --isolation chroot --format docker --build-arg PYTHON_IMAGE="$base" \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --target lean -t localhost/tightrope -f Dockerfile .
container=$(build from --signature-policy "$work/policy.json" --pull-never localhost/tightrope)
tree=$(build mount "$container")
megabytes() { du --apparent-size -sm "$@" | cut -f 1; }
printf 'image: %s MiB, program and packages: %s MiB\n' "$(megabytes "$tree")" "$(megabytes "$tree/opt")"
test "$(megabytes "$tree")" -lt "$max_megabytes"
test -z "$(find "$tree/opt/tightrope" -name '*.onnx')"

run() { build run --isolation chroot --volume "$PWD/demo:/models:ro" "$container" -- "$@"; }
test "$(run id -u)" = 10001
run sh -c 'cp /models/tightrope.yaml /tmp/ && sed -i "s#models/#/models/models/#; \$a state: /var/lib/tightrope" /tmp/tightrope.yaml && tightrope check /tmp/tightrope.yaml'
run sh -c 'echo $$ > /tmp/process && exec tightrope run /tmp/tightrope.yaml --port 8080' &
server=$!
healthy=(python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/v2/health/live', timeout=2)")
grep -qF "\"${healthy[2]}\"" Dockerfile # the command of HEALTHCHECK
for _ in $(seq 60); do run "${healthy[@]}" 2>/dev/null && break; sleep 1; done
run "${healthy[@]}"
curl -sf http://127.0.0.1:8080/v2/models/employment/ready > /dev/null
stop
wait "$server"
rm "$tree/tmp/process"
echo "the image serves, its health check passes, and it stops on SIGTERM"
