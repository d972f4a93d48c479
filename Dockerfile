# syntax=docker/dockerfile:1
# Build:  docker build -t product-search .        (--build-arg ENGINE=tensorflow for Keras models,
#             --build-arg BACKEND=milvus for collections in Milvus)
# Key:    docker run --rm -v product-search:/data product-search \
#             python -m indexer keys create --scope search --scope events
# Index:  docker run --rm -v product-search:/data -v $PWD/photos:/photos:ro product-search \
#             python -m indexer add /photos   (or `init`, if all products come over HTTP)
# Run:    docker run -p 8000:8000 -v product-search:/data -v $PWD/photos:/photos:ro product-search
# With a proxy, TLS and monitoring: deploy/compose.yaml. On a cluster: deploy/kubernetes.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS libraries
# openvino: smaller, faster, the same vectors; VGG16 and .onnx files. tensorflow: all models.
ARG ENGINE=openvino
# milvus: also the client of index.backend: milvus.
ARG BACKEND=faiss
COPY requirements.txt requirements-openvino.txt requirements-milvus.txt /tmp/
RUN case "$ENGINE" in \
        openvino) file=requirements-openvino.txt ;; \
        tensorflow) file=requirements.txt ;; \
        *) echo "ENGINE: received '$ENGINE'; allowed: openvino, tensorflow" >&2; exit 2 ;; \
    esac \
    && case "$BACKEND" in \
        faiss) ;; \
        milvus) sed -i '/^-r/d' /tmp/requirements-milvus.txt ;; \
        *) echo "BACKEND: received '$BACKEND'; allowed: faiss, milvus" >&2; exit 2 ;; \
    esac \
    && python -m venv /venv \
    && cd /tmp \
    && /venv/bin/pip install --no-cache-dir --only-binary :all: -c requirements.txt -r "$file" \
        $(if [ "$BACKEND" = milvus ]; then echo -r requirements-milvus.txt; fi) \
    && /venv/bin/pip uninstall --yes pip

FROM ${PYTHON} AS code
WORKDIR /app
COPY config.yaml ./
COPY indexer indexer
COPY service service
# Compiled here, because the file system of a container is read-only. The weights have their own
# layer, which stays the same when only code changes.
RUN rm -r indexer/embedding/weights \
    && python -m compileall -q --invalidation-mode unchecked-hash indexer service

FROM ${PYTHON}
RUN groupadd --gid 10001 search \
    && useradd --uid 10001 --gid search --home-dir /data --no-create-home search \
    && install -d -o search -g search /data /photos
COPY --from=libraries /venv /venv
COPY indexer/embedding/weights /app/indexer/embedding/weights
COPY --from=code /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IMAGE_SEARCH_STORAGE_DATA_DIR=/data \
    IMAGE_SEARCH_STORAGE_PHOTO_ROOT=/photos \
    IMAGE_SEARCH_SERVICE_HOST=0.0.0.0 \
    IMAGE_SEARCH_SERVICE_PORT=8000
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/healthz' % os.environ['IMAGE_SEARCH_SERVICE_PORT'], timeout=2)"]
CMD ["gunicorn", "--config", "service/gunicorn.conf.py", "service.wsgi:app"]
