"""Limits of a single request, the same for every entry point: numbers of rows, and lengths of texts."""

LINES_AT_ONCE = 2000
"""Lines of a rebill or credit memo. The rebill builder shows this many, and sends only changed ones."""

COMMENTS_LENGTH = 1000
"""Comments on payments, credits, write-offs, disputes, refunds and voids."""

DOCUMENT_COMMENTS_LENGTH = 3000
"""Comments on credit memos and rebills."""

LINE_COMMENTS_LENGTH = 200
REMARK_LENGTH = 1000
"""Reasons of decisions, and notes on documents."""

PO_NUM_LENGTH = 1000

SAVED_VIEW_NAME_LENGTH = 60
SAVED_VIEWS_OF_A_LIST = 50
"""Saved views of one person of one list."""
