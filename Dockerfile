# Switchhook: every dependency by hash, no compiler and no Node in what runs. Targets: `service`, and `demo` with a private Asterisk.
FROM python:3.13.9-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 SWITCHHOOK_CACHE=/opt/cache
WORKDIR /src
COPY requirements requirements
COPY deploy/build deploy/build
RUN deploy/build dependencies /opt/switchhook
# Before the source: it changes seldom and is the largest part.
COPY setup setup
RUN python -m setup.whisper
COPY . .
RUN deploy/build switchhook /opt/switchhook

FROM build AS telephones
RUN SWITCHHOOK_CACHE=/opt/telephones python -m setup.asterisk

FROM python:3.13.9-slim-trixie AS service
# The group is the PBX's: the two share the recordings.
RUN groupadd --gid 2060 telephony \
    && useradd --uid 2061 --gid 2060 --no-create-home --home-dir /var/lib/switchhook switchhook \
    && install -d -o 2061 -g 2060 -m 0750 /var/lib/switchhook /var/backups/switchhook
COPY --from=build /opt/switchhook /opt/switchhook
COPY --from=build /opt/cache /opt/cache
ENV PATH=/opt/switchhook/bin:$PATH SWITCHHOOK_CACHE=/opt/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER switchhook
WORKDIR /var/lib/switchhook
VOLUME /var/lib/switchhook
EXPOSE 8080 9465
CMD ["switchhook", "serve"]

FROM service AS demo
COPY --from=telephones /opt/telephones /opt/cache
CMD ["switchhook", "demo"]

# What is built when no target is named.
FROM service
