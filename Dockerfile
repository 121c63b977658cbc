# Switchhook: every dependency by hash, no compiler and no Node in what runs.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
RUN python -m venv /opt/switchhook && python -m venv /opt/build
COPY requirements requirements
RUN /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.txt \
    && /opt/build/bin/uv pip install --no-cache --python /opt/switchhook/bin/python --require-hashes -r requirements/run.txt \
    && /opt/build/bin/uv pip install --no-cache --python /opt/build/bin/python --require-hashes -r requirements/build.txt
# Before the source: it changes seldom and is the largest part.
COPY setup setup
RUN SWITCHHOOK_CACHE=/opt/cache python -m setup.whisper
COPY . .
RUN /opt/build/bin/uv build --no-cache --wheel --no-build-isolation --python /opt/build/bin/python --out-dir /tmp/wheel \
    && /opt/build/bin/uv pip install --no-cache --python /opt/switchhook/bin/python --no-deps /tmp/wheel/*.whl

FROM python:3.13-slim-trixie
# The group is the PBX's: the two share the recordings.
RUN groupadd --gid 2060 telephony \
    && useradd --uid 2061 --gid 2060 --no-create-home --home-dir /var/lib/switchhook switchhook \
    && install -d -o 2061 -g 2060 -m 0750 /var/lib/switchhook
COPY --from=build /opt/switchhook /opt/switchhook
COPY --from=build /opt/cache /opt/cache
ENV PATH=/opt/switchhook/bin:$PATH SWITCHHOOK_CACHE=/opt/cache PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER switchhook
WORKDIR /var/lib/switchhook
VOLUME /var/lib/switchhook
EXPOSE 8080 9465
CMD ["switchhook", "serve"]
