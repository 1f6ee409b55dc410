"""The settings. What a deployment changes comes from the environment; what a client chooses is a column of Client."""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from billing_site.production import production_faults

BASE_DIR = Path(__file__).resolve().parent.parent
IS_CHECKOUT = (BASE_DIR / "manage.py").exists()
# Templates, texts and the demo's customers: beside the packages in a checkout, within billing_site in an installed wheel.
RESOURCES = BASE_DIR if IS_CHECKOUT else BASE_DIR / "billing_site"
# What the program writes, unless a setting says where: beside manage.py, or in the current folder.
PLACE = BASE_DIR if IS_CHECKOUT else Path.cwd()


def env_bool(name: str, default: bool) -> bool:
    value = os.environ.get(name, "")
    return value.lower() in {"1", "true", "yes", "on"} if value else default


def env_list(name: str, default: str) -> list[str]:
    return [item for item in os.environ.get(name, default).split(",") if item]


def secret_key() -> str:
    """Return SECRET_KEY, or a random key stored in PLACE, so that a first start needs no setup and has no known key."""
    if key := os.environ.get("SECRET_KEY"):
        return key
    path = PLACE / ".secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key())
    return path.read_text()


DEBUG = env_bool("DEBUG", False)
SECRET_KEY = secret_key()
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", "")

# In production (DEBUG off, ALLOWED_HOSTS set) the site is served over https only. HTTPS=0 is for a site that is not reachable
# from outside.
HTTPS = env_bool("HTTPS", not DEBUG and "ALLOWED_HOSTS" in os.environ)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = int(os.environ.get("HSTS_SECONDS", str(30 * 24 * 3600))) if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env_bool("HSTS_INCLUDE_SUBDOMAINS", HTTPS)
# Health checks call the process directly, without https.
SECURE_REDIRECT_EXEMPT = [r"^(livez|healthz|readyz|metrics)$"]

# For tests and demonstrations, a client's clock may be moved forward. Never in production.
VIRTUAL_CLOCK = env_bool("VIRTUAL_CLOCK", DEBUG)

# With PRODUCTION=1 nothing starts with settings that `check --deploy` calls an error.
if env_bool("PRODUCTION", False) and (faults := production_faults(os.environ, debug=DEBUG, virtual_clock=VIRTUAL_CLOCK)):
    raise ImproperlyConfigured("PRODUCTION is on. " + " ".join(faults.values()))

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "accounts",
    "invoices",  # before staticfiles: its runserver starts a worker too
    "rebills",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "django_htmx",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "axes",
    "simple_history",
]

MIDDLEWARE = [
    "accounts.call_log.CallLogMiddleware",
    "billing_site.tracing.TracingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "accounts.pages.languages.language_middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.signing_in.session_middleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "billing_site.urls"
WSGI_APPLICATION = "billing_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [RESOURCES / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.pages.session.back_office",
            ],
        },
    },
]

# A kept connection is checked before a request uses it, so that no request fails after a restart of the database.
DATABASES = {
    "default": dj_database_url.config(
        default=f"sqlite:///{PLACE / 'billing.sqlite3'}",
        conn_max_age=60,
        conn_health_checks=True,
        # Needed behind PgBouncer in transaction mode: such a cursor outlives its transaction.
        disable_server_side_cursors=env_bool("DISABLE_SERVER_SIDE_CURSORS", False),
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A writing transaction takes the write lock at its beginning. So it waits for its turn instead of failing halfway.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif not DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"]:
    # PostgreSQL would compile a query of 100,000 rows, which takes longer than the query itself. PgBouncer does not pass
    # options on.
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options["options"] = " ".join(filter(None, (options.get("options"), "-c jit=off")))
# PostgreSQL stops a statement of a web request after this number of seconds. 0: never. Workers and commands have no such limit.
STATEMENT_TIMEOUT = int(os.environ.get("STATEMENT_TIMEOUT", "30"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A request may have 10,000 usage records of up to 800 bytes each.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000
# Without scripts, the rebill builder sends up to twenty fields for each of 2,000 lines (`billing_site.common.limits`) and of
# 200 added ones.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50_000

# A session ends when it was not used for so many minutes, and at the latest so many hours after signing in.
SESSION_ENGINE = "accounts.sessions"
SESSION_IDLE_MINUTES = int(os.environ.get("SESSION_IDLE_MINUTES", "60"))
SESSION_HOURS = int(os.environ.get("SESSION_HOURS", "12"))
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_SAMESITE = "Lax"

# Ten wrong passwords or codes for a name, or from an address, lock it for a quarter of an hour. Attempts meanwhile do not
# prolong it.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.signing_in.StaffBackend"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.call_log.calling_address"
AXES_LOCKOUT_CALLABLE = "accounts.pages.session.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "kept"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
SHORTEST_PASSWORD = 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": SHORTEST_PASSWORD}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]
# The name under which authenticator apps and passkeys list this site.
SITE_NAME = os.environ.get("SITE_NAME", "Billing back office")
# Single sign-on by an identity provider (OpenID Connect). Off without OIDC_ISSUER. The provider's groups become roles: those of
# OIDC_ROLES, as JSON from group to role; without it, groups named as roles. People whom nobody has added are added to the
# clients of OIDC_CLIENT_NOS; without it, they are refused.
OIDC_ISSUER = os.environ.get("OIDC_ISSUER", "")
OIDC_CLIENT_ID = os.environ.get("OIDC_CLIENT_ID", "")
OIDC_CLIENT_SECRET = os.environ.get("OIDC_CLIENT_SECRET", "")
OIDC_NAME = os.environ.get("OIDC_NAME", "single sign-on")
OIDC_SCOPES = os.environ.get("OIDC_SCOPES", "openid profile email groups")
OIDC_USERNAME_CLAIM = os.environ.get("OIDC_USERNAME_CLAIM", "preferred_username")
OIDC_GROUPS_CLAIM = os.environ.get("OIDC_GROUPS_CLAIM", "groups")
OIDC_ROLES = json.loads(os.environ.get("OIDC_ROLES", "{}"))
OIDC_CLIENT_NOS = [int(number) for number in env_list("OIDC_CLIENT_NOS", "")]
# On if the provider asks everybody for a second factor. Off: it counts where the token says so (amr).
OIDC_SECOND_FACTOR = env_bool("OIDC_SECOND_FACTOR", False)
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "login"
# Old versions of a row can be read but not restored, because later data depends on the current one.
SIMPLE_HISTORY_REVERT_DISABLED = True


# The language of pages for a reader who has chosen none, and whose browser asks for none that the pages have.
LANGUAGE_CODE = os.environ.get("LANGUAGE_CODE", "en")
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [RESOURCES / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "billing_site" / "static"]
# Where `manage.py collectstatic` copies the pages' files. Without it they are served from their source folders.
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", PLACE / "static_files"))
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or not STATIC_ROOT.is_dir()

# Where the files of documents and the logos of clients are kept: in a folder, or by another storage of Django, such as that of
# django-storages for S3, with its options as JSON.
DOCUMENTS_FOLDER = os.environ.get("DOCUMENTS_FOLDER", str(PLACE / "documents"))
DOCUMENTS_STORAGE = os.environ.get("DOCUMENTS_STORAGE", "")
DOCUMENTS_OPTIONS = json.loads(os.environ.get("DOCUMENTS_OPTIONS", "{}"))
# Seals of events, transactions and payments: the keys as id:secret, separated by commas. The first one makes new seals, and the
# others still prove those that they made. Without any, the key is made from SECRET_KEY.
SEAL_KEYS = env_list("SEAL_KEYS", "")
# Where the newest seal of each client is stored each night: in a folder, or by another storage of Django. It should be a place
# in which whoever administers the database can delete and overwrite nothing.
SEALS_FOLDER = os.environ.get("SEALS_FOLDER", str(PLACE / "seals"))
SEALS_STORAGE = os.environ.get("SEALS_STORAGE", "")
SEALS_OPTIONS = json.loads(os.environ.get("SEALS_OPTIONS", "{}"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "documents": {
        "BACKEND": DOCUMENTS_STORAGE or "django.core.files.storage.FileSystemStorage",
        "OPTIONS": DOCUMENTS_OPTIONS if DOCUMENTS_STORAGE else {"location": DOCUMENTS_FOLDER},
    },
    "seals": {
        "BACKEND": SEALS_STORAGE or "django.core.files.storage.FileSystemStorage",
        "OPTIONS": SEALS_OPTIONS if SEALS_STORAGE else {"location": SEALS_FOLDER},
    },
}

# The key of `manage.py backup` and `restore`: 32 bytes in base64, or a file with them.
BACKUP_KEY = os.environ.get("BACKUP_KEY", "")
BACKUP_KEY_FILE = os.environ.get("BACKUP_KEY_FILE", "")

# Pages load only files of this server. The admin is excluded, because its scripts create functions from strings.
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    },
}

# How many proxies in front of this server are trusted to report the caller's address in X-Forwarded-For.
TRUSTED_PROXY_COUNT = int(os.environ.get("TRUSTED_PROXY_COUNT", "0"))
if TRUSTED_PROXY_COUNT:
    # They also report whether the request used https.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How long `manage.py prune_calls` keeps the log of API calls.
CALL_LOG_DAYS = int(os.environ.get("CALL_LOG_DAYS", "90"))

# Calls of the API within a minute: of a key, and of an address. Wrong keys from an address. 0: no limit.
CALLS_PER_KEY = int(os.environ.get("CALLS_PER_KEY", "60000"))
CALLS_PER_ADDRESS = int(os.environ.get("CALLS_PER_ADDRESS", "120000"))
WRONG_KEYS_PER_ADDRESS = int(os.environ.get("WRONG_KEYS_PER_ADDRESS", "60"))
# Where calls are counted. Empty: in each process by itself. redis://...: for all processes together.
CACHE_URL = os.environ.get("CACHE_URL", "")
if CACHE_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}}

# Who does the work in the background. `local`: `manage.py work`. `celery`: workers of Celery on any number of machines, which
# hear of work by a broker, Redis or RabbitMQ. Installations that share a broker need queues of different names.
EXECUTOR = os.environ.get("EXECUTOR", "local")
BROKER_URL = os.environ.get("BROKER_URL", "")
BROKER_QUEUE = os.environ.get("BROKER_QUEUE", "billing")

# Webhooks go to addresses of the public Internet, by https. Networks beside it, separated by commas, such as 10.1.0.0/16: there
# http is enough. In development, programs on the same machine get them too.
WEBHOOK_NETWORKS = env_list("WEBHOOK_NETWORKS", "127.0.0.0/8,::1/128" if DEBUG else "")

# Tax engines by the name that Client.tax_engine stores.
TAX_ENGINES = {
    "table": "invoices.tax_engines.table.TableTaxEngine",
    "failing": "invoices.tax_engines.failing.FailingTaxEngine",
}

# Payment gateways by the name that Client.gateway stores.
GATEWAYS = {
    "sandbox": "invoices.gateways.sandbox.SandboxGateway",
    "stripe": "invoices.gateways.stripe.StripeGateway",
}
# The sandbox gateway's own records. Only the sandbox writes them.
SANDBOX_GATEWAY_FILE = os.environ.get("SANDBOX_GATEWAY_FILE", str(PLACE / "sandbox_gateway.sqlite3"))
# For the stripe gateway only: the secret key; the secret that signs messages to /webhooks/stripe/ (without it, none is
# accepted); and the address of another server with Stripe's API, for tests.
STRIPE_API_KEY = os.environ.get("STRIPE_API_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")

# Statements are sent by e-mail. EMAIL_BACKEND may be any of Django's; filebased.EmailBackend writes files to EMAIL_FILE_PATH.
# The time limit for the mail server is short, because statements can be sent again.
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
EMAIL_FILE_PATH = os.environ.get("EMAIL_FILE_PATH", str(PLACE / "mails"))
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("EMAIL_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10
# A mail provider by django-anymail, which the extra "mail" installs: EMAIL_BACKEND=anymail.backends.postmark.EmailBackend, and
# the provider's settings as ANYMAIL_POSTMARK_SERVER_TOKEN and so on. It reports bounces to /anymail/.
ANYMAIL = {name.removeprefix("ANYMAIL_"): value for name, value in os.environ.items() if name.startswith("ANYMAIL_")}
if EMAIL_BACKEND.startswith("anymail."):
    INSTALLED_APPS += ["anymail"]
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "billing@localhost")


def sidebar_link(title: object, icon: str, model: str) -> dict[str, object]:
    """Return a sidebar link to the list of a model, shown to users who may view it."""
    app, name = model.split(".")

    def may_see(request: HttpRequest) -> bool:
        # Imported here because the admin's pages are known only when all apps are loaded.
        from django.apps import apps
        from django.contrib import admin

        return admin.site.get_model_admin(apps.get_model(model)).has_view_permission(request)

    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{app}_{name}_changelist"), "permission": may_see}


UNFOLD = {
    "SITE_TITLE": _("Billing back office"),
    "SITE_HEADER": _("Billing back office"),
    "SITE_SYMBOL": "receipt_long",
    "SHOW_LANGUAGES": True,
    "STYLES": [lambda request: static("accounts/admin.css")],
    "SIDEBAR": {
        "navigation": [
            {
                "title": _("Billing"),
                "items": [
                    sidebar_link(_("Invoices"), "receipt_long", "invoices.invoice"),
                    sidebar_link(_("Rebills"), "published_with_changes", "rebills.rebill"),
                    sidebar_link(_("Billing runs"), "event_repeat", "invoices.billingrun"),
                    sidebar_link(_("Decisions"), "checklist", "invoices.decision"),
                    sidebar_link(_("Acts of two people"), "group", "invoices.requestedact"),
                    sidebar_link(_("Statements"), "mail", "invoices.statement"),
                    sidebar_link(_("Usage"), "speed", "invoices.usage"),
                    sidebar_link(_("One-time charges"), "shopping_cart", "invoices.onetimecharge"),
                    sidebar_link(_("Service credits"), "savings", "invoices.servicecredit"),
                    sidebar_link(_("Coupon redemptions"), "redeem", "invoices.couponredemption"),
                ],
            },
            {
                "title": _("Money"),
                "items": [
                    sidebar_link(_("Transactions"), "account_balance", "invoices.ledgerentry"),
                    sidebar_link(_("Payments"), "payments", "invoices.payment"),
                    sidebar_link(_("Collection attempts"), "sync_alt", "invoices.collectionattempt"),
                    sidebar_link(_("Refunds"), "undo", "invoices.refund"),
                    sidebar_link(_("Credit memos"), "receipt", "invoices.creditmemo"),
                    sidebar_link(_("Cash credits"), "redeem", "invoices.cashcredit"),
                    sidebar_link(_("Write-offs"), "money_off", "invoices.writeoff"),
                    sidebar_link(_("Disputes"), "gavel", "invoices.dispute"),
                    sidebar_link(_("Voids"), "block", "invoices.transactionvoid"),
                ],
            },
            {
                "title": _("Customers"),
                "items": [
                    sidebar_link(_("Accounts"), "account_circle", "accounts.account"),
                    sidebar_link(_("Contacts"), "contacts", "accounts.contact"),
                    sidebar_link(_("Plan instances"), "subscriptions", "accounts.planinstance"),
                    sidebar_link(_("Payment methods"), "credit_card", "accounts.paymentmethod"),
                ],
            },
            {
                "title": _("Catalogue"),
                "items": [
                    sidebar_link(_("Services"), "category", "accounts.service"),
                    sidebar_link(_("Plans"), "inventory_2", "accounts.plan"),
                    sidebar_link(_("Prices"), "sell", "accounts.rateschedule"),
                    sidebar_link(_("Surcharges"), "add_circle", "invoices.surcharge"),
                    sidebar_link(_("Coupons"), "confirmation_number", "invoices.coupon"),
                    sidebar_link(_("Service locations"), "location_on", "accounts.servicelocation"),
                    sidebar_link(_("Tax rates"), "percent", "invoices.taxrate"),
                ],
            },
            {
                "title": _("Set-up"),
                "items": [
                    sidebar_link(_("Clients"), "domain", "accounts.client"),
                    sidebar_link(_("API keys"), "key", "accounts.apikey"),
                    sidebar_link(_("Number series"), "tag", "invoices.numberseries"),
                    sidebar_link(_("Reason codes"), "label", "invoices.reasoncode"),
                ],
            },
            {
                "title": _("Trail"),
                "items": [
                    sidebar_link(_("Events"), "history", "accounts.event"),
                    sidebar_link(_("API calls"), "swap_horiz", "accounts.apicall"),
                    sidebar_link(_("Receipts"), "task_alt", "accounts.receipt"),
                    sidebar_link(_("Audits"), "fact_check", "invoices.auditrun"),
                    sidebar_link(_("Gateway events"), "webhook", "invoices.gatewayevent"),
                    sidebar_link(_("Webhooks"), "send", "invoices.webhookendpoint"),
                    sidebar_link(_("Webhook deliveries"), "outbox", "invoices.webhookdelivery"),
                ],
            },
            {
                "title": _("Users and groups"),
                "items": [
                    sidebar_link(_("Users"), "person", "auth.user"),
                    sidebar_link(_("Groups"), "group", "auth.group"),
                ],
            },
        ],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.BasicKeyAuthentication",
        "accounts.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.authentication.MayCall"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "billing_site.common.negotiation.ProblemsAreJson",
    "DEFAULT_PARSER_CLASSES": ["billing_site.common.json_bodies.JSONObjectParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "billing_site.common.keyset_pages.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "billing_site.schema.Schema",
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "billing_site.api.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Billing back office",
    "VERSION": "1",
    "DESCRIPTION": "Resources, and Aria's method calls, over one set of services.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "InvoiceStatusEnum": "invoices.kinds.InvoiceStatus",
        "InvoiceKindEnum": "invoices.kinds.InvoiceKind",
        "EntryKindEnum": "invoices.kinds.EntryKind",
        "ReasonTypeEnum": "invoices.kinds.ReasonType",
        "PaymentTypeEnum": "invoices.kinds.PaymentType",
        "AttemptStatusEnum": "invoices.kinds.AttemptStatus",
        "PaymentMethodTypeEnum": "accounts.kinds.PaymentMethodType",
        "MailKindEnum": "invoices.kinds.MailKind",
        "EInvoiceProfileEnum": "accounts.kinds.EInvoiceProfile",
        "BuyerEInvoiceEnum": "accounts.kinds.BuyerEInvoice",
        "StatementStatusEnum": "invoices.kinds.StatementStatus",
        "RefundStatusEnum": "invoices.kinds.RefundStatus",
        "RunStateEnum": "invoices.kinds.RunState",
        "DocumentStateEnum": "invoices.kinds.DocumentState",
        "LineTypeEnum": "invoices.kinds.LineType",
        "ChargeTypeEnum": "accounts.kinds.ChargeType",
        "CampaignStateEnum": "rebills.kinds.CampaignState",
        "CampaignItemStateEnum": "rebills.kinds.ItemState",
        "DeliveryStateEnum": "invoices.kinds.DeliveryState",
        "ScheduledActEnum": "invoices.kinds.ScheduledAct",
        "BulkActEnum": "invoices.kinds.BULK_ACTS",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "billing_site.schema.with_problem_and_dispatcher",
        "billing_site.examples.with_examples",
    ],
}

# Who may read /metrics sends this as a bearer token. Empty: nobody may.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")

LOG_FORMAT = os.environ.get("LOG_FORMAT", "plain")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "billing_site.common.request_ids.RequestIdFilter"}},
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {request_id} {name}: {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "{asctime}{levelname}{request_id}{name}{message}",
            "style": "{",
            "rename_fields": {"asctime": "at", "levelname": "level", "name": "logger"},
        },
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "stream": sys.stderr,
            "formatter": LOG_FORMAT,
            "filters": ["request_id"],
        }
    },
    # They warn once for each document that a faster library for fonts is not there. Missing glyphs are found in any case.
    "loggers": {"weasyprint": {"level": "ERROR"}, "fontTools": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
}
