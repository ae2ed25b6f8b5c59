# An image in which `make demo` has everything it needs:
#   docker build --tag munchausen .
#   docker run --rm --shm-size 2g munchausen
# The tag is .python-version's: Courier and Reverb have wheels for CPython 3.10 only, and
# this image's Python is built with the shared library to which they are linked.
FROM python:3.10-slim-bookworm

# make runs the verbs, git names the commit of a run, libegl1 draws MuJoCo's videos.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git libegl1 make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home researcher \
    && install --directory --owner researcher /munchausen

USER researcher
WORKDIR /munchausen

# The packages are a layer of their own, which only a new lock makes again. `make install`
# completes it below; uv comes first because the Makefile uses it if it is there.
COPY --chown=researcher Makefile requirements.lock ./
RUN make .uv/bin/uv \
    && .uv/bin/uv venv --quiet --python python3.10 .venv \
    && .uv/bin/uv pip sync --quiet --no-cache --python .venv/bin/python \
        --compile-bytecode --require-hashes requirements.lock

COPY --chown=researcher . .
RUN make install

ENV PATH=/munchausen/.venv/bin:$PATH
CMD ["make", "demo"]
