from accounts.views.pages import StaffPage


class InvoiceList(StaffPage):
    def get(self, request, **kwargs):
        return self.page("base.html")
