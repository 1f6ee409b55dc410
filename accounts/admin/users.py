"""Users and groups in the admin. Only superusers manage them."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin.rows import OwnRows, only_superusers

admin.site.unregister(User)
admin.site.unregister(Group)


class ManagedBySuperusers(OwnRows):
    """Only superusers: whoever assigns permissions could assign all of them to themselves."""

    client_path = None
    has_module_permission = has_view_permission = only_superusers
    has_add_permission = has_change_permission = has_delete_permission = only_superusers


@admin.register(User)
class UserAdmin(ManagedBySuperusers, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(ManagedBySuperusers, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass
