"""How much one request may ask of the server, the same at every door: rows, and lengths of texts."""

LINES_AT_ONCE = 2000
"""Of a rebill or a credit memo. The builder of rebills shows as many, and sends what was changed."""

COMMENTS_LENGTH = 1000
"""Of payments, credits, write-offs, disputes, refunds and voids."""

DOCUMENT_COMMENTS_LENGTH = 3000
"""Of credit memos and rebills."""

LINE_COMMENTS_LENGTH = 200
REMARK_LENGTH = 1000
"""Of reasons for decisions, and notes on documents."""

PO_NUM_LENGTH = 1000
