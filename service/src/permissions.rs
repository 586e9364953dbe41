//! Permissions on repositories: who has which role, and giving and taking them.
//!
//! An act on a repository that does not exist is no secret to whoever administers its namespace:
//! lists are empty, and what is taken is "no such permission".
//!
//! Source: `contract/quay.md`, section 3.

use claviger_domain::{
    Conflict, Error,
    access::{Administer, Grantee, Inspect},
    name::{Namespace, RobotName, TeamName},
    principal::PrincipalKind,
    role::Role,
};
use claviger_store::{
    Query, Tx,
    audit::{self, Act},
    permissions, principals,
    principals::Principal,
    repositories::Repository,
    teams,
};
pub use claviger_store::{
    faces::Face,
    permissions::{TeamPermission, UserPermission},
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    reach::Reach,
};

/// What was found on a repository, and whether that lies in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InNamespace<T> {
    /// What was found.
    pub found: T,
    /// Whether the namespace is an organisation, so that belonging to it says something.
    pub of_org: bool,
}

impl App {
    /// Every user and robot with a permission of its own on the repository, in the order in which
    /// they got them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn user_permissions(
        &self,
        on: Reach<Inspect>,
    ) -> Result<InNamespace<Vec<UserPermission>>, Error> {
        self.db
            .read(move |q| {
                let of_org = in_organisation(q, &on)?;
                let found = match on.find(q)? {
                    Some(repo) => permissions::users(q, &repo.id)?,
                    None => Vec::new(),
                };
                Ok(InNamespace { found, of_org })
            })
            .await
    }

    /// Every team with a permission on the repository, in the order in which they got them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn team_permissions(&self, on: Reach<Inspect>) -> Result<Vec<TeamPermission>, Error> {
        self.db
            .read(move |q| match on.find(q)? {
                Some(repo) => Ok(permissions::teams(q, &repo.id)?),
                None => Ok(Vec::new()),
            })
            .await
    }

    /// The permission of the user or robot `name`, its own only.
    ///
    /// # Errors
    /// [`Conflict::NoPermission`] for somebody who has none, and for nobody.
    pub async fn user_permission(
        &self,
        on: Reach<Inspect>,
        name: &str,
    ) -> Result<InNamespace<UserPermission>, Error> {
        let name = principal_name(name).ok_or(Conflict::NoPermission)?;
        self.db
            .read(move |q| {
                let of_org = in_organisation(q, &on)?;
                let repo = on.find(q)?.ok_or(Conflict::NoPermission)?;
                let found = permissions::user(q, &repo.id, &name)?;
                Ok(InNamespace { found: found.ok_or(Conflict::NoPermission)?, of_org })
            })
            .await
    }

    /// The permission of the team `name`.
    ///
    /// # Errors
    /// [`Conflict::NoPermission`] for a team that has none, and for none.
    pub async fn team_permission(
        &self,
        on: Reach<Inspect>,
        name: &str,
    ) -> Result<TeamPermission, Error> {
        let name = name.parse::<TeamName>().map_err(|_| Conflict::NoPermission)?;
        self.db
            .read(move |q| {
                let repo = on.find(q)?.ok_or(Conflict::NoPermission)?;
                let found = permissions::team(q, &repo.id, name.as_str())?;
                Ok(found.ok_or(Conflict::NoPermission)?)
            })
            .await
    }

    /// The role of each permission that reaches the user or robot `name`, its own and those of its
    /// teams, in the order in which they were given; nothing implied.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, no such user, or no such repository.
    pub async fn transitive_roles(
        &self,
        on: Reach<Inspect>,
        name: &str,
    ) -> Result<Vec<Role>, Error> {
        let name = principal_name(name).ok_or(Error::NotFound("user"))?;
        self.db
            .read(move |q| {
                let who = principals::find_by_name(q, &name)?
                    .filter(|who| who.kind != PrincipalKind::Org)
                    .ok_or(Error::NotFound("user"))?;
                let repo = on.find(q)?.ok_or(Error::NotFound("repository"))?;
                let roles = permissions::reaching(q, &repo.id, &who.id)?;
                if roles.is_empty() { Err(Error::NotFound("permission")) } else { Ok(roles) }
            })
            .await
    }

    /// Gives the user or robot `name` a role on the repository, in place of the one it may have.
    ///
    /// # Errors
    /// In this order: [`Conflict::NamespaceOwner`], [`Error::NotFound`] for nobody of that name,
    /// [`Conflict::ForeignRobot`], [`Error::NotFound`] for the repository.
    pub async fn give_user(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        name: &str,
        role: Role,
        origin: &Origin,
    ) -> Result<InNamespace<UserPermission>, Error> {
        if name == on.namespace() {
            return Err(Conflict::NamespaceOwner.into());
        }
        let name = principal_name(name).ok_or(Error::NotFound("user"))?;
        let (now, actor) = (self.now(), caller.actor(origin));
        let account = caller.principal.account;
        self.write_as(caller, on.right(), move |tx| {
            let who = principals::find_by_name(tx, &name)?
                .filter(|who| who.account == account)
                .ok_or(Error::NotFound("user"))?;
            let namespace = find_namespace(tx, &on)?;
            let at_home = |namespace: &Principal| who.owner == Some(namespace.id);
            if who.kind == PrincipalKind::Robot && !namespace.as_ref().is_some_and(at_home) {
                let namespace = on.namespace().to_owned();
                return Err(Conflict::ForeignRobot { robot: name, namespace }.into());
            }
            let repo = on.find(tx)?.ok_or(Error::NotFound("repository"))?;
            let before = permissions::user(tx, &repo.id, &name)?.map(|held| held.role);
            permissions::give(tx, &repo, &Grantee::Principal(who.id), role, now)?;
            let change = Change { repo: &repo, holder: "username", name: &name };
            let act = "change_repo_permission";
            change.append(tx, now, &actor, act, before, Some(role))?;
            let found = permissions::user(tx, &repo.id, &name)?;
            let found = found.ok_or(Conflict::NoPermission)?;
            let of_org = namespace.is_some_and(|ns| ns.kind == PrincipalKind::Org);
            Ok(InNamespace { found, of_org })
        })
        .await
    }

    /// Gives the team `name` of the repository's organisation a role on it, in place of the one it
    /// may have.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the team, then for the repository.
    pub async fn give_team(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        name: &str,
        role: Role,
        origin: &Origin,
    ) -> Result<TeamPermission, Error> {
        let name = name.parse::<TeamName>().map_err(|_| Error::NotFound("team"))?;
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let name = name.as_str();
            let team = match find_namespace(tx, &on)? {
                Some(namespace) => teams::find(tx, &namespace.id, name)?,
                None => None,
            };
            let team = team.ok_or(Error::NotFound("team"))?;
            let repo = on.find(tx)?.ok_or(Error::NotFound("repository"))?;
            let before = permissions::team(tx, &repo.id, name)?.map(|held| held.role);
            permissions::give(tx, &repo, &Grantee::Team(team.id), role, now)?;
            let change = Change { repo: &repo, holder: "team", name };
            let act = "change_repo_permission";
            change.append(tx, now, &actor, act, before, Some(role))?;
            Ok(TeamPermission { team: team.name, role })
        })
        .await
    }

    /// Takes the permission of the user or robot `name` away.
    ///
    /// # Errors
    /// [`Conflict::NamespaceOwner`], [`Conflict::NoPermission`].
    pub async fn take_from_user(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        if name == on.namespace() {
            return Err(Conflict::NamespaceOwner.into());
        }
        let name = principal_name(name).ok_or(Conflict::NoPermission)?;
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let repo = on.find(tx)?.ok_or(Conflict::NoPermission)?;
            let held = permissions::user(tx, &repo.id, &name)?.ok_or(Conflict::NoPermission)?;
            permissions::take_from_user(tx, &repo, &name)?;
            let change = Change { repo: &repo, holder: "username", name: &name };
            change.append(tx, now, &actor, "delete_repo_permission", Some(held.role), None)
        })
        .await
    }

    /// Takes the permission of the team `name` away.
    ///
    /// # Errors
    /// [`Conflict::NoPermission`].
    pub async fn take_from_team(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let name = name.parse::<TeamName>().map_err(|_| Conflict::NoPermission)?;
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let name = name.as_str();
            let repo = on.find(tx)?.ok_or(Conflict::NoPermission)?;
            let held = permissions::team(tx, &repo.id, name)?.ok_or(Conflict::NoPermission)?;
            permissions::take_from_team(tx, &repo, name)?;
            let change = Change { repo: &repo, holder: "team", name };
            change.append(tx, now, &actor, "delete_repo_permission", Some(held.role), None)
        })
        .await
    }
}

/// `text`, if it can be the name of a principal at all.
fn principal_name(text: &str) -> Option<String> {
    let good = text.parse::<Namespace>().is_ok() || text.parse::<RobotName>().is_ok();
    good.then(|| text.to_owned())
}

fn find_namespace<A>(q: &mut dyn Query, on: &Reach<A>) -> Result<Option<Principal>, Error> {
    match principal_name(on.namespace()) {
        Some(name) => Ok(principals::find_by_name(q, &name)?),
        None => Ok(None),
    }
}

fn in_organisation<A>(q: &mut dyn Query, on: &Reach<A>) -> Result<bool, Error> {
    Ok(find_namespace(q, on)?.is_some_and(|found| found.kind == PrincipalKind::Org))
}

/// What the audit says of a permission.
struct Change<'a> {
    repo: &'a Repository,
    /// What the holder is called: `username` or `team`.
    holder: &'static str,
    name: &'a str,
}

impl Change<'_> {
    fn append(
        &self,
        tx: &mut Tx<'_>,
        now: claviger_domain::UnixMillis,
        actor: &audit::Actor,
        act: &'static str,
        before: Option<Role>,
        after: Option<Role>,
    ) -> Result<(), Error> {
        let said = |role: Role| {
            serde_json::json!({ self.holder: self.name, "role": role.as_str() }).to_string()
        };
        let (before, after) = (before.map(said), after.map(said));
        let namespace = self.repo.name.split('/').next().unwrap_or_default();
        let act = Act::done(act, "repository", &self.repo.name)
            .id(&self.repo.id)
            .namespace(namespace)
            .change(before.as_deref(), after.as_deref());
        Ok(audit::append(tx, now, actor, &act)?)
    }
}
