# Two stages: the second has only a virtual environment with the installed release, no source tree and no build tools.
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements/run.lock requirements/build.lock requirements/
RUN /app/.venv/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.lock
# The build backend has a separate environment, installed from hashes, because pip's build isolation would fetch it unpinned.
RUN python -m venv /build && /build/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/build.lock
COPY pyproject.toml README.md ./
COPY alembic alembic
COPY src src
RUN /build/bin/python -m hatchling build -t wheel -d /wheel && /app/.venv/bin/python -m pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin clay \
    && install -d -o clay -g clay /var/lib/clay-push/sandbox
WORKDIR /app
COPY --from=build /app/.venv .venv
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLAY_PUSH_HOST=0.0.0.0 \
    CLAY_PUSH_PORT=8080
USER clay
EXPOSE 8080
# For `serve`. A worker has no HTTP server: run it with --health-cmd "clay-push worker --check" --health-interval 30s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['CLAY_PUSH_PORT']}/healthz\", timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["clay-push", "serve"]
