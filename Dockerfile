# Two stages: what builds is not what runs. The same layout as a checkout (/app/src beside /app/alembic), because the
# migrations are found beside the source.
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /app/.venv
COPY requirements/run.lock requirements/run.lock
RUN /app/.venv/bin/python -m pip install --no-cache-dir --require-hashes --no-deps -r requirements/run.lock
COPY pyproject.toml README.md ./
COPY src src
RUN /app/.venv/bin/python -m pip install --no-cache-dir --no-deps -e . \
    && /app/.venv/bin/python -m compileall -q src

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /app --shell /usr/sbin/nologin clay
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY --from=build /app/src src
COPY alembic alembic
COPY alembic.ini pyproject.toml ./
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CLAY_PUSH_HOST=0.0.0.0 \
    CLAY_PUSH_PORT=8080
USER clay
EXPOSE 8080
# For `serve`; a worker (`clay-push worker`) shows its health by its heartbeat, and is run with --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ['CLAY_PUSH_PORT']}/healthz\", timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["clay-push", "serve"]
