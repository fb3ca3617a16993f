# syntax=docker/dockerfile:1
#
#   docker build --target api -t chorus-api .                       the API: no torch
#   docker build --target worker-cpu -t chorus-worker-cpu .         CPU steps, reaper, sender: no torch
#   docker build --target worker-models -t chorus-worker-models .   models, on a CPU or a GPU
#
# The torch that pip installs on Linux is built for CUDA and brings CUDA's libraries; a GPU only needs the host's driver.
# No system packages: audio, espeak-ng and the rest come with the wheels.

FROM python:3.11-slim-bookworm AS source
WORKDIR /src
COPY . .

FROM source AS build-base
# What front ends read text with; all of MeloTTS's languages are `openvoice,melo` (700 MB, most of it for Japanese).
ARG EXTRAS=openvoice,melo-en,melo-zh
RUN python -m venv /opt/chorus
# The pinned versions, which 'make lint' audits.
RUN --mount=type=cache,target=/root/.cache/pip /opt/chorus/bin/pip install --constraint constraints.txt ".[$EXTRAS]"

FROM build-base AS build-models
RUN --mount=type=cache,target=/root/.cache/pip /opt/chorus/bin/pip install --constraint constraints.txt '.[models]'

FROM python:3.11-slim-bookworm AS runtime
ENV PATH=/opt/chorus/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    CHORUS_HOME=/tmp/chorus \
    CHORUS_CACHE=/cache
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin chorus \
    && install --directory --owner=chorus --group=chorus /cache
USER 10001:10001
WORKDIR /tmp
VOLUME /cache
ENTRYPOINT ["chorus"]

FROM runtime AS api
COPY --from=build-base /opt/chorus /opt/chorus
EXPOSE 8080
CMD ["api"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]

# A worker is healthy while it is in the registry, which it must renew every few seconds.
FROM runtime AS worker-cpu
COPY --from=build-base /opt/chorus /opt/chorus
CMD ["worker", "cpu"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-c", \
    "import os, socket, sys; from core.redis import connect; from storage.ledger.registry import live_workers; sys.exit(socket.gethostname() not in {w['host'] for w in live_workers(connect(os.environ['CHORUS_REDIS_URL']))})"]

FROM runtime AS worker-models
COPY --from=build-models /opt/chorus /opt/chorus
CMD ["worker", "piper-joe"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s CMD ["python", "-c", \
    "import os, socket, sys; from core.redis import connect; from storage.ledger.registry import live_workers; sys.exit(socket.gethostname() not in {w['host'] for w in live_workers(connect(os.environ['CHORUS_REDIS_URL']))})"]
