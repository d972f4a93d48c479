# Build: docker build -t product-search .
# Key:   docker run --rm -v product-search:/data product-search \
#            python -m indexer keys create --scope search --scope events
# Index: docker run --rm -v product-search:/data -v $PWD/photos:/photos product-search \
#            python -m indexer add /photos   (or `init`, if all products come over HTTP)
# Run:   docker run -p 8000:8000 -v product-search:/data product-search
FROM python:3.11-slim AS build
RUN python -m venv /venv
COPY requirements.txt /tmp/
RUN /venv/bin/pip install --no-cache-dir --only-binary :all: -r /tmp/requirements.txt \
    && /venv/bin/pip uninstall --yes pip

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data search && install -d -o search /data
COPY --from=build /venv /venv
WORKDIR /app
COPY config.yaml ./
COPY indexer indexer
COPY service service
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IMAGE_SEARCH_STORAGE_DATA_DIR=/data \
    IMAGE_SEARCH_SERVICE_HOST=0.0.0.0
USER search
VOLUME /data
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s CMD ["python", "-c", \
    "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
CMD ["gunicorn", "--config", "service/gunicorn.conf.py", "service.wsgi:app"]
