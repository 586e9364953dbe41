//! What a path names: a repository, the name of one that does not exist, or no name at all.
//!
//! Whether there is a repository is no secret to whoever has the right by its namespace, and for
//! everybody else the answer is the same in all three cases.

use claviger_domain::{
    Error,
    access::{Act, Permit, check, effective_role, permit, role_in_namespace},
    name::{Namespace, RepoName},
    role::{Role, Visibility},
};
use claviger_store::{
    Query,
    repositories::{self, Repository},
};

use crate::{app::App, caller::Caller, facts::Gathered, still::Right};

/// The proof that somebody may do `A` to what a path names. Only [`App::reach`] makes it.
#[derive(Clone, Debug)]
pub struct Reach<A> {
    path: String,
    permit: Option<Permit<A>>,
}

impl<A> Reach<A> {
    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        namespace(&self.path)
    }

    /// What was shown.
    pub(crate) fn right(&self) -> Right
    where
        A: Act,
    {
        Right::on::<A>(&self.path)
    }

    /// The repository, if there is one.
    pub(crate) fn find(&self, q: &mut dyn Query) -> Result<Option<Repository>, Error> {
        match &self.permit {
            Some(permit) => Ok(repositories::find(q, permit.on().as_str())?),
            None => Ok(None),
        }
    }
}

impl App {
    /// The proof that `caller` may do `A` to what `path` names.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`].
    pub async fn reach<A: Act>(
        &self,
        caller: Option<&Caller>,
        path: &str,
    ) -> Result<Reach<A>, Error> {
        let (name, facts) = self.about_path(caller, path).await?;
        let (asker, acl) = (facts.asker(), facts.acl());
        let permit = if let Some(name) = &name {
            permit::<A>(&asker, name, facts.namespace, acl).map(Some)
        } else {
            check::<A>(&asker, path, facts.namespace, acl).map(|_| None)
        };
        self.decisions.count(permit.is_ok());
        Ok(Reach { path: path.to_owned(), permit: permit? })
    }

    /// The repository that `path` names and the role that `caller`, or anybody, has on it.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] and [`Error::Denied`] without any role; [`Error::NotFound`] with
    /// one by the namespace.
    pub(crate) async fn visible_repository(
        &self,
        caller: Option<&Caller>,
        path: &str,
    ) -> Result<(RepoName, Role), Error> {
        let (name, facts) = self.about_path(caller, path).await?;
        let role = sees(&facts);
        self.decisions.count(role.is_some());
        let role = match (role, caller) {
            (Some(role), _) => role,
            (None, Some(_)) => return Err(Error::denied("see", path)),
            (None, None) => return Err(Error::Unauthenticated),
        };
        match name.filter(|_| facts.acl.is_some()) {
            Some(name) => Ok((name, role)),
            None => Err(Error::NotFound("repository")),
        }
    }

    /// What a decision about `path` looks at, and the name if it is one.
    async fn about_path<'a>(
        &self,
        caller: Option<&'a Caller>,
        path: &str,
    ) -> Result<(Option<RepoName>, Gathered<'a>), Error> {
        if let Ok(name) = path.parse::<RepoName>() {
            let facts = self.about_repo(caller, &name).await?;
            return Ok((Some(name), facts));
        }
        // what can be no name is not handed to the store
        let namespace = namespace(path);
        let namespace = namespace.parse::<Namespace>().map_or("", |_| namespace);
        Ok((None, self.about_namespace(caller, namespace).await?))
    }
}

/// As what somebody sees a repository, whether it exists or not.
pub(crate) fn sees(facts: &Gathered<'_>) -> Option<Role> {
    match &facts.acl {
        // what nobody needs to ask for is seen with every credential
        Some(acl) => effective_role(&facts.asker(), acl)
            .or((acl.visibility == Visibility::Public).then_some(Role::Read)),
        None => role_in_namespace(&facts.asker(), facts.namespace),
    }
}

fn namespace(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}
