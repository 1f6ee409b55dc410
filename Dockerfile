# The program with all that it needs: the site, workers and commands are started from it (compose.yaml).
FROM python:3.13-slim-bookworm

# Pango draws PDFs. The fonts of the PDFs come with the program.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements/celery.txt requirements/stripe.txt requirements/
RUN pip install --require-hashes -r requirements/celery.txt && pip install --require-hashes -r requirements/stripe.txt

COPY manage.py pyproject.toml LICENSE ./
COPY billing_site billing_site
COPY accounts accounts
COPY invoices invoices
COPY rebills rebills
COPY templates templates
COPY locale locale
COPY data data

# The key is for these two commands only. The site has its own from SECRET_KEY.
RUN SECRET_KEY=of-the-build python -m billing_site.catalogues \
    && SECRET_KEY=of-the-build python manage.py collectstatic --no-input \
    && useradd --system --uid 10001 --create-home billing \
    && install --directory --owner billing /documents

USER billing
ENV DOCUMENTS_FOLDER=/documents/files SANDBOX_GATEWAY_FILE=/documents/sandbox_gateway.sqlite3
VOLUME /documents
EXPOSE 8000

CMD ["gunicorn", "billing_site.wsgi", "--bind", "0.0.0.0:8000", "--workers", "4", "--worker-tmp-dir", "/dev/shm"]
