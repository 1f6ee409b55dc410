from accounts.views.pages import StaffPage


class RebillList(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
