//! How Quay's scopes are worded where a user decides about them.

use claviger_domain::scope::QuayScope;
use serde::Serialize;

/// A scope, as the consent page and the lists of grants show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScopeView {
    title: &'static str,
    scope: &'static str,
    description: &'static str,
    icon: &'static str,
    dangerous: bool,
}

impl ScopeView {
    /// What it is called.
    pub(crate) fn title(&self) -> &'static str {
        self.title
    }

    /// What it lets an application do.
    pub(crate) fn description(&self) -> &'static str {
        self.description
    }

    /// Whether it gives more than repositories.
    pub(crate) fn is_dangerous(&self) -> bool {
        self.dangerous
    }
}

/// The views of `scopes`, in the order in which they are listed.
pub(crate) fn views(scopes: &[QuayScope]) -> Vec<ScopeView> {
    scopes.iter().map(|scope| view(*scope)).collect()
}

fn view(scope: QuayScope) -> ScopeView {
    let (title, icon, dangerous, description) = match scope {
        QuayScope::RepoRead => (
            "View all visible repositories",
            "fa-hdd-o",
            false,
            "This application will be able to view and pull all repositories visible to the \
             granting user",
        ),
        QuayScope::RepoWrite => (
            "Read/Write to any accessible repositories",
            "fa-hdd-o",
            false,
            "This application will be able to view, push and pull to all repositories to which \
             the granting user has write access",
        ),
        QuayScope::RepoAdmin => (
            "Administer Repositories",
            "fa-hdd-o",
            false,
            "This application will be able to change the permissions and settings of all \
             repositories that the granting user administers",
        ),
        QuayScope::RepoCreate => (
            "Create Repositories",
            "fa-plus",
            false,
            "This application will be able to create repositories in all namespaces that the \
             granting user is allowed to create repositories",
        ),
        QuayScope::UserRead => (
            "Read User Information",
            "fa-user",
            false,
            "This application will be able to read your user name and e-mail address",
        ),
        QuayScope::UserAdmin => (
            "Administer User",
            "fa-gear",
            true,
            "This application will be able to administer your account including creating robots \
             and granting them permissions to your repositories. You should have absolute trust \
             in the requesting application before granting this permission.",
        ),
        QuayScope::OrgAdmin => (
            "Administer Organization",
            "fa-gear",
            true,
            "This application will be able to administer your organizations: their teams, \
             members, robots and applications. You should have absolute trust in the requesting \
             application before granting this permission.",
        ),
        QuayScope::SuperUser => (
            "Super User Access",
            "fa-street-view",
            true,
            "This application will be able to administer this whole installation, its users and \
             organizations. You should have absolute trust in the requesting application before \
             granting this permission.",
        ),
    };
    ScopeView { title, scope: scope.as_str(), description, icon, dangerous }
}
