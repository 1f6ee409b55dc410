from accounts.views.pages import StaffPage


class DifferencePage(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
