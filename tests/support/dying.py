"""Calls whose process dies after its work is committed and before its answer is stored."""

import json

import pytest

from accounts import receipts


class Died(BaseException):
    """Simulates the death of the process: no product code catches this."""


def answer_never_told(call):
    """Return the answer that a call would have given if its process had not died after the commit."""
    answers = []

    def work_and_die(client, claim, work):
        answers.append(work())
        raise Died

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(receipts, "_work", work_and_die)
        call()
    (answer,) = answers
    return json.loads(answer)
