# syntax=docker/dockerfile:1
# The image of every Airflow service. The lock is the same as a clone's, so the versions are those that were tested.

FROM python:3.12.13-slim-bookworm AS packages

# An index within reach, if the default one is not: --build-arg, or the environment of `docker compose build`.
# They stay in this stage: the image's history does not show them.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX

ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1
COPY requirements.txt /build/requirements.txt
RUN python -m venv "$VIRTUAL_ENV" \
    && sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/--hash/p}' /build/requirements.txt >/build/uv.txt \
    && pip install --no-cache-dir --require-hashes --no-deps -r /build/uv.txt \
    && uv pip install --require-hashes --no-deps --compile-bytecode -r /build/requirements.txt

WORKDIR /opt/krx-warehouse
COPY pyproject.toml README.md airflow.cfg ./
COPY include include
COPY plugins plugins
COPY dags dags
RUN uv pip install --no-deps --no-build-isolation --editable . \
    && python -m compileall -q include plugins dags


FROM python:3.12.13-slim-bookworm

RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --create-home airflow \
    && install -d -o 50000 -g 0 -m 0750 /var/lib/krxw /var/log/airflow

COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/krx-warehouse /opt/krx-warehouse

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW_CONFIG=/opt/krx-warehouse/airflow.cfg \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/krx-warehouse/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/krx-warehouse/plugins \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/log/airflow \
    KRXW_HOME=/var/lib/krxw

WORKDIR /opt/airflow
USER 50000:0
