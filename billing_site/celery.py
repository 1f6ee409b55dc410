"""The app of Celery, for EXECUTOR=celery: `celery -A billing_site worker` and `celery -A billing_site beat`.

Messages only say what kind of work to look for. What is to be done is rows in the database, so a message that is lost, repeated
or late does no harm. The tasks are in invoices/tasks.py.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

from django.conf import settings  # noqa: E402

SWEEP_SECONDS = 5.0
"""How often beat has a worker look for all work that is due."""

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 5.0
"""So long whoever sends a message waits at most for a connection, and for an answer of the broker."""

app = Celery("billing_site")
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_connection_timeout=CONNECT_SECONDS,
    broker_transport_options={
        "max_retries": 0,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
    },
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_default_queue=settings.BROKER_QUEUE,
    task_ignore_result=True,
    # A message is taken from the queue when its batch is done, so that the batch of a killed worker is begun again at once.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    # Once more, for a kept connection that has been closed. What cannot be sent is made up for by the next sweep.
    task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
    worker_hijack_root_logger=False,
    beat_schedule={"sweep": {"task": "invoices.sweep", "schedule": SWEEP_SECONDS, "options": {"expires": 2 * SWEEP_SECONDS}}},
    # Beat has nothing to remember between its starts.
    beat_scheduler="celery.beat:Scheduler",
    enable_utc=True,
    timezone="UTC",
)
# Celery would close the connection to the database after each task. Tasks keep it as requests do (invoices/tasks.py).
app.conf["CELERY_DB_REUSE_MAX"] = 1000
app.autodiscover_tasks()
