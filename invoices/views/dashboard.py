from accounts.views.pages import StaffPage


class Dashboard(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
