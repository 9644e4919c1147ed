# Serves the bundled voices on port 8080.
#
#     docker build -t vrnn-engine .
#     docker run --rm --read-only --tmpfs /tmp -p 8080:8080 -e VRNN_ENGINE_TOKEN=SECRET vrnn-engine
#
# Arguments after the name of the image are those of `vrnn-engine serve`.  docs/serving.md says more.

FROM python:3.13-slim AS build
WORKDIR /source
COPY locks/build.txt locks/serve.txt ./locks/
COPY pyproject.toml README.md LICENSE ./
COPY vrnn_engine ./vrnn_engine
RUN pip install --no-cache-dir --require-hashes --requirement locks/build.txt \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

# Each file that is installed has a checksum in locks/, but for the wheel that was built above.
FROM python:3.13-slim
RUN --mount=type=bind,from=build,source=/source/locks,target=/locks \
    --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --require-hashes --requirement /locks/serve.txt \
    && pip install --no-cache-dir --no-deps /wheels/*.whl

# Any user can run it, and it writes only into /tmp: renderings while they are sent, and unpacked .zip files of voices.
ENV HOME=/tmp VRNN_ENGINE_CACHE=/tmp/vrnn-engine PYTHONDONTWRITEBYTECODE=1
USER 10001:0
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health', timeout=2)"]
ENTRYPOINT ["vrnn-engine", "serve", "--host", "0.0.0.0"]
