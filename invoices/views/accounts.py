from accounts.views.pages import StaffPage


class AccountList(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")


class AccountPage(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")


class GeneratePage(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
