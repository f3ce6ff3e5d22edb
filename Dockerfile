# The `ls-retrieval` command with the ML backend. CPU by default; a GPU: --build-arg TORCH=cu130. docs/deploy.md
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG UV=0.13.9
# where torch is taken from: cpu, or a CUDA or ROCm version by the names of `uv pip install --torch-backend`
ARG TORCH=cpu
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/ls-retrieval
RUN pip install --no-cache-dir "uv==${UV}" && uv venv "$VIRTUAL_ENV"
WORKDIR /source
# what changes seldom comes first: a change of code installs nothing anew
COPY constraints.txt requirements.lock ./
RUN uv pip install --require-hashes --no-deps --requirements requirements.lock \
    && uv pip install --torch-backend "$TORCH" --constraints constraints.txt torch torchvision
COPY . .
RUN uv pip install --no-deps .

FROM python:${PYTHON}-slim
# whoever runs it: --user takes any other, as docker-compose.yml does
RUN useradd --uid 10001 --no-create-home --home-dir /tmp ls-retrieval \
    && install --directory --owner 10001 --group 10001 /workspace
COPY --from=build /opt/ls-retrieval /opt/ls-retrieval
# writes only into /workspace and /tmp: the root may be read-only
ENV PATH=/opt/ls-retrieval/bin:$PATH \
    HOME=/tmp \
    LOGNAME=ls-retrieval \
    HF_HOME=/workspace/models \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /workspace
EXPOSE 9090
# Label Studio gives /health one second
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9090/health', timeout=3)"]
ENTRYPOINT ["ls-retrieval"]
CMD ["serve", "--help"]
