"""Calls whose process dies after the commit of their work and before their answer is kept."""

import json

import pytest

from accounts import receipts


class Died(BaseException):
    """The process is gone: nothing of the product catches this."""


def answer_never_told(call):
    """What a call would have answered, had its process not died with its work committed."""
    told = []

    def work_and_die(client, claim, work):
        told.append(work())
        raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(receipts, "_work", work_and_die)
        call()
    (answer,) = told
    return json.loads(answer)
