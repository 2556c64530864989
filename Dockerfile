# Two images: `--target lean` (the default) serves, shadows and judges; `--target reports` draws drift reports too.
# Pin the base image by its digest: --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv --without-pip /opt/venv
COPY requirements.lock /build/
RUN python3 -m pip --python /opt/venv install --no-deps --require-hashes -r /build/requirements.lock \
 && find /opt/venv -type d -name tests -prune -exec rm -r {} +
COPY tightrope /opt/tightrope/tightrope
COPY monitors /opt/tightrope/tightrope/monitors
COPY service /opt/tightrope/tightrope/service
COPY shadow /opt/tightrope/tightrope/shadow
COPY dashboards /opt/tightrope/tightrope/dashboards
COPY demo /opt/tightrope/tightrope/demo
RUN printf '#!/opt/venv/bin/python3\nfrom tightrope.cli.main import main\n\nmain()\n' > /opt/venv/bin/tightrope \
 && chmod 755 /opt/venv/bin/tightrope \
 && python3 -m compileall -q /opt/tightrope

FROM build AS build-reports
COPY requirements-reports.lock /build/
RUN python3 -m pip --python /opt/venv install --no-deps --require-hashes -r /build/requirements-reports.lock

# The common part of both images. Models, configuration and state are mounted; only the state and /tmp are written.
FROM ${PYTHON_IMAGE} AS base
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Tightrope" \
      org.opencontainers.image.description="Serve a compressed model, shadow its uncompressed baseline, and fall back per subgroup with a guarantee on false alarms." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 tightrope \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tightrope \
 && install --directory --owner 10001 --group 10001 /var/lib/tightrope
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/tightrope \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /var/lib/tightrope
VOLUME /var/lib/tightrope
EXPOSE 8080 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/v2/health/live', timeout=2)"]
USER 10001:10001
ENTRYPOINT ["tightrope"]
CMD ["run", "/etc/tightrope/tightrope.yaml", "--host", "0.0.0.0", "--port", "8080"]

FROM base AS reports
COPY --from=build-reports /opt/venv /opt/venv
COPY --from=build-reports /opt/tightrope /opt/tightrope

FROM base AS lean
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/tightrope /opt/tightrope
