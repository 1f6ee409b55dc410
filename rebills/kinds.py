"""The enumerations of rebill campaigns, and the allowed changes of their states. Pure modules may import them."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy


class CampaignState(TextChoices):
    """States of a campaign. A stopped campaign failed by an unexpected error; a person resumes or cancels it."""

    PREVIEWING = "previewing", _("Preview running")
    PREVIEWED = "previewed", _("Needs approval")
    APPROVED = "approved", pgettext_lazy("rebill campaign", "Approved")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    STOPPED = "stopped", pgettext_lazy("rebill campaign", "Stopped")
    CANCELLING = "cancelling", _("Being cancelled")
    CANCELLED = "cancelled", pgettext_lazy("rebill campaign", "Cancelled")
    FINISHED = "finished", _("Finished")
    UNDO_ASKED = "undo_asked", _("Undo needs approval")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", pgettext_lazy("rebill campaign", "Undone")


CAMPAIGN_TRANSITIONS = {
    CampaignState.PREVIEWING: (CampaignState.PREVIEWED, CampaignState.CANCELLED),
    CampaignState.PREVIEWED: (CampaignState.PREVIEWING, CampaignState.APPROVED, CampaignState.CANCELLED),
    CampaignState.APPROVED: (CampaignState.PREVIEWING, CampaignState.RUNNING, CampaignState.CANCELLED),
    CampaignState.RUNNING: (
        CampaignState.PAUSED,
        CampaignState.STOPPED,
        CampaignState.CANCELLING,
        CampaignState.FINISHED,
    ),
    CampaignState.PAUSED: (CampaignState.RUNNING, CampaignState.CANCELLING),
    CampaignState.STOPPED: (CampaignState.RUNNING, CampaignState.CANCELLING),
    CampaignState.CANCELLING: (CampaignState.CANCELLED,),
    CampaignState.FINISHED: (CampaignState.RUNNING, CampaignState.PREVIEWING, CampaignState.UNDO_ASKED),
    CampaignState.CANCELLED: (CampaignState.UNDO_ASKED,),
    CampaignState.UNDO_ASKED: (CampaignState.UNDOING, CampaignState.FINISHED, CampaignState.CANCELLED),
    CampaignState.UNDOING: (CampaignState.UNDONE, CampaignState.FINISHED),
    CampaignState.UNDONE: (),
}
"""Allowed changes of a campaign's state. A finished one runs again if what failed is retried, and is previewed again for what
had changed. If some rebills could not be undone, it is finished as before."""

WORKED_ON = (CampaignState.PREVIEWING, CampaignState.RUNNING, CampaignState.CANCELLING, CampaignState.UNDOING)
"""In these states workers have something to do."""

COMMITTED_STATES = (CampaignState.APPROVED, CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPED)
"""In these states the documents that a campaign is to rebill are refused by the previews of other campaigns."""


class ItemState(TextChoices):
    """What became of one document of a campaign."""

    WAITING = "waiting", _("Not previewed yet")
    READY = "ready", _("Would be rebilled")
    UNCHANGED = "unchanged", _("Nothing to change")
    REFUSED = "refused", _("Refused")
    REBILLED = "rebilled", _("Rebilled")
    MOVED = "moved", _("Changed since the preview")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Not rebilled, campaign cancelled")
    UNDOING = "undoing", _("To be undone")
    UNDONE = "undone", _("Undone")


WITH_REBILL = (ItemState.REBILLED, ItemState.UNDOING, ItemState.UNDONE)
"""In these states a document has a rebill of the campaign."""


class Statements(TextChoices):
    """When the customers of a campaign get the statement of their rebill, with its explanation of changes."""

    AT_ONCE = "at_once", _("Sent with each rebill")
    HELD = "held", _("Held, to be sent together later")
    NONE = "none", _("Not sent")


class RuleChange(TextChoices):
    """What a rule changes on the lines that it matches."""

    RATE = "rate", _("Set the rate")
    FACTOR = "factor", _("Multiply the rate")
    DISCOUNT = "discount", _("Take a percentage off the rate")
    LIST_PRICE = "list_price", _("Use the list price of the line's first day")
    VALID_PRICE = "valid_price", _("Use the customer's price of the line's first day")
    UNITS = "units", _("Set the units")
    AMOUNT = "amount", _("Set the amount")
    DROP = "drop", _("Leave the line out")
    ADD = "add", _("Add a line")
    PO_NUM = "po_num", _("Set the PO number")
    DESCRIPTION = "description", _("Set the text")
    BILL_TO = "bill_to", _("Set the bill-to contact")
    SHIP_TO = "ship_to", _("Set the ship-to contact")
    BILL_FROM = "bill_from", _("Set the bill-from location")
    SHIP_FROM = "ship_from", _("Set the ship-from location")
    RETAX = "retax", _("Calculate tax again")


PRICE_CHANGES = (
    RuleChange.RATE,
    RuleChange.FACTOR,
    RuleChange.DISCOUNT,
    RuleChange.LIST_PRICE,
    RuleChange.VALID_PRICE,
    RuleChange.UNITS,
    RuleChange.AMOUNT,
)
"""They change what a charge costs, so lines that are calculated from other lines are left to be recalculated."""

WORDS = (
    gettext_noop("preview running"),
    gettext_noop("needs approval"),
    gettext_noop("approved"),
    gettext_noop("running"),
    gettext_noop("paused"),
    gettext_noop("stopped"),
    gettext_noop("being cancelled"),
    gettext_noop("cancelled"),
    gettext_noop("finished"),
    gettext_noop("undo needs approval"),
    gettext_noop("being undone"),
    gettext_noop("undone"),
)
"""The states as refusals name them, for the catalogues."""
