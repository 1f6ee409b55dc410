from accounts.views.pages import StaffPage


class RebillBuilder(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
