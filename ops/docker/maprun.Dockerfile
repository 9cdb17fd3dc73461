# The four services, the function host and SeaweedFS: one image, one command each (see docker-compose.yml).
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# pip looks into its own list of certificates unless it is told where Debian's is.
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    PATH=/opt/maprun/bin:$PATH

RUN if ! python3 -c 'import venv, ensurepip' 2>/dev/null || [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then \
        apt-get update -qq \
        && apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; \
    fi

COPY requirements.run.lock /tmp/
RUN python3 -m venv /opt/maprun \
    && pip install --quiet --no-cache-dir --require-hashes -r /tmp/requirements.run.lock \
    && python -m compileall -q /opt/maprun/lib

WORKDIR /srv/maprun
COPY schemas schemas
COPY maprun maprun
COPY services services
COPY examples examples
# `/data` belongs to it before a volume is laid over, so that a fresh volume does too.
RUN useradd --system --uid 1000 --home-dir /data maprun && mkdir /data && chown maprun: /data \
    && python -m compileall -q schemas maprun services
USER maprun
ENV PYTHONPATH=/srv/maprun
