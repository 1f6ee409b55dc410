from accounts.views.pages import StaffPage


class RunList(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")


class RunPage(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
