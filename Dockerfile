# One image for every role (`docker run sluice ingest`, `registry`, `worker`) and for the operator's tools.

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# pip stays outside the environment that the image keeps.
RUN python -m venv --without-pip /opt/sluice
# First what changes seldom, so that a change of code does not install the dependencies again.
COPY requirements requirements
RUN python -m pip --python /opt/sluice/bin/python install --require-hashes -r requirements/runtime.txt
# setuptools builds the project and stays in this stage; its pin stands among the developers' tools.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements/dev.txt > build-tools.txt \
 && python -m venv build-tools \
 && build-tools/bin/python -m pip install --require-hashes -r build-tools.txt
# .dockerignore lets through what the project is made of, and nothing else.
COPY . .
RUN build-tools/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && python -m pip --python /opt/sluice/bin/python install --no-deps --no-index wheels/sluice-*.whl

FROM python:3.13-slim
# A number, so that Kubernetes can see that it is not root; a fixed one, so that a volume keeps its owner.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin sluice \
 && install --directory --mode=0700 --owner=sluice --group=sluice /var/lib/sluice
COPY --from=build /opt/sluice /opt/sluice
# The file system may be read-only: nothing is written but what a volume holds.
# In a container 127.0.0.1 reaches nobody, and a load balancer needs some seconds to notice that one stops.
ENV PATH=/opt/sluice/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SLUICE_HOST=0.0.0.0 \
    SLUICE_DRAIN_DELAY=5 \
    SLUICE_DATA=/var/lib/sluice SLUICE_QUEUE=sqlite:/var/lib/sluice/queue.db
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080 8081 8082 8083
ENTRYPOINT ["sluice"]
