# The recogniser's servers on a CPU: `python -m V3 serve`. See docs/deploy.md; Dockerfile.gpu is the same for CUDA.
#     docker build -t voicebot . && docker compose --profile cpu up
FROM python:3.11-slim-bookworm AS build

COPY requirements.txt /build/
RUN python -m venv /opt/voicebot \
    && /opt/voicebot/bin/pip install --no-cache-dir --disable-pip-version-check -r /build/requirements.txt
COPY pyproject.toml README.md LICENSE /build/
COPY V3 /build/V3
RUN /opt/voicebot/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /build

FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin voicebot \
    && install -d -o voicebot -g voicebot /models /var/lib/voicebot
COPY --from=build /opt/voicebot /opt/voicebot
COPY config /etc/voicebot

ENV PATH=/opt/voicebot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/voicebot \
    HF_HOME=/models/huggingface \
    VOICEBOT_CONFIG_DIR=/etc/voicebot

USER 10001:10001
WORKDIR /var/lib/voicebot
VOLUME /models
# clients, calls
EXPOSE 8765 8766

# A model that is downloaded at the first start takes its time.
HEALTHCHECK --interval=15s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]

STOPSIGNAL SIGTERM
# All of the container's addresses: both servers refuse that without VOICEBOT_CLIENT_TOKEN and VOICEBOT_SERVER_TOKEN.
ENTRYPOINT ["python", "-m", "V3"]
CMD ["serve", "--host", "0.0.0.0", "--calls-host", "0.0.0.0"]
