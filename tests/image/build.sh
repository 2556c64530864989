#!/usr/bin/env bash
# Builds the lean image by buildah and runs it: as root, without a container engine. The base is the one that
# PYTHON_IMAGE names or, without that, a stand-in: Debian's own Python, slimmed as Debian's slim images are.
set -euo pipefail
cd "$(dirname "$0")/../.."
most_megabytes=400
place=$(mktemp -d)
trap 'echo "line $LINENO failed" >&2' ERR
build() { buildah --root "$place/storage" --runroot "$place/run" --storage-driver vfs "$@"; }
stop() { kill "$(cat "${tree:-}/tmp/process")"; }
trap 'stop 2>/dev/null || true; wait; build rm --all >/dev/null || true; rm -rf "$place"' EXIT

echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$place/policy.json"
base=${PYTHON_IMAGE:-localhost/python-stand-in}
if [ -z "${PYTHON_IMAGE:-}" ]; then
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $release" 'Component: main' 'Identifier: Packages' | head -n 1)
  debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates "$release" "$place/system" "$mirror" > "$place/log"
  rm -rf "$place"/system/var/{cache,lib}/apt/* "$place"/system/usr/share/{doc,locale,man,info}
  mkdir "$place/context"
  tar -C "$place/system" -cf "$place/context/base.tar" .
  printf 'FROM scratch\nADD base.tar /\n' > "$place/Dockerfile"
  build bud --quiet --signature-policy "$place/policy.json" --isolation chroot -f "$place/Dockerfile" -t "$base" "$place/context"
fi

build bud --quiet --signature-policy "$place/policy.json" --isolation chroot --format docker --build-arg PYTHON_IMAGE="$base" \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --target lean -t localhost/tightrope -f Dockerfile .
container=$(build from --signature-policy "$place/policy.json" --pull-never localhost/tightrope)
tree=$(build mount "$container")
of() { du --apparent-size -sm "$@" | cut -f 1; }
printf 'the image: %s MiB, of which the program and its packages: %s MiB\n' "$(of "$tree")" "$(of "$tree/opt")"
test "$(of "$tree")" -lt "$most_megabytes"
test -z "$(find "$tree/opt/tightrope" -name '*.onnx')"

run() { build run --isolation chroot --volume "$PWD/demo:/models:ro" "$container" -- "$@"; }
test "$(run id -u)" = 10001
run sh -c 'cp /models/tightrope.yaml /tmp/ && sed -i "s#models/#/models/models/#; \$a state: /var/lib/tightrope" /tmp/tightrope.yaml && tightrope check /tmp/tightrope.yaml'
run sh -c 'echo $$ > /tmp/process && exec tightrope run /tmp/tightrope.yaml --port 8080' &
server=$!
healthy=(python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/v2/health/live', timeout=2)")
grep -qF "\"${healthy[2]}\"" Dockerfile # what is asked here is what HEALTHCHECK asks
for _ in $(seq 60); do run "${healthy[@]}" 2>/dev/null && break; sleep 1; done
run "${healthy[@]}"
curl -sf http://127.0.0.1:8080/v2/models/employment/ready > /dev/null
stop
wait "$server"
rm "$tree/tmp/process"
echo "it serves, its health check holds, and it stops when it is told"
