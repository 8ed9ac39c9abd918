# The operator's image. Both stages share one base, so that the virtual environment built in the
# first one finds its interpreter in the second.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build
# Build arguments reach pip as environment variables and stay behind in this stage.
ARG PIP_CERT
ARG PIP_INDEX_URL
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/tidegate
COPY requirements/build.txt requirements/image.txt /src/requirements/
RUN /opt/build/bin/pip install --quiet --require-hashes -r /src/requirements/build.txt \
 && /opt/build/bin/pip --python /opt/tidegate install --quiet --require-hashes --only-binary :all: \
      -r /src/requirements/image.txt
COPY pyproject.toml README.md LICENSE /src/
COPY operator/tidegate /src/operator/tidegate
# Bytecode is made here, as the root file system is read-only at run time; but not of the thousand
# generated classes of the kubernetes package, of which only those few are used that kopf imports.
# CEL's wheel brings extensions that nothing here loads (36 MB) and its own workshop (12 MB).
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheels /src \
 && /opt/build/bin/pip --python /opt/tidegate install --quiet --no-deps --no-index /tmp/wheels/*.whl \
 && find /opt/tidegate/lib -depth -type d \( -name tests -o -name __pycache__ -o -name bazel-project \
      -o -path '*/cel_expr_python/ext' \) -exec rm -rf {} + \
 && /opt/tidegate/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
      -x 'kubernetes/.*client/(api|models)/' /opt/tidegate/lib \
 && /opt/tidegate/bin/python -c 'import kopf, kubernetes.aio.config, tidegate.api.expressions'

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="Workflows on Kubernetes that run in waves" \
      org.opencontainers.image.licenses="Apache-2.0"
# USER: no passwd entry has the number below, or the one that OpenShift chooses.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 USER=tidegate
COPY --from=build /opt/tidegate /opt/tidegate
USER 65532:65532
ENTRYPOINT ["/opt/tidegate/bin/tidegate-operator"]
