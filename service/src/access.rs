//! What a caller may do: gathers the facts and asks `domain::access`, which decides.

use claviger_domain::{
    Error,
    access::{Act, NamespaceFacts, Permit, Standing, namespace_role, permit},
    id::PrincipalId,
    name::RepoName,
    principal::PrincipalFacts,
    role::OrgRole,
    scope::Caps,
};

use crate::{
    app::App,
    caller::Caller,
    facts::{About, Gathered},
    settings::Quay,
    still::Right,
};

/// What the settings make of a principal.
pub(crate) fn standing(quay: &Quay, principal: &PrincipalFacts) -> Standing {
    let user = principal.owner.is_none();
    Standing {
        superuser: principal.superuser || (user && quay.names_superuser(&principal.name)),
        full_access: quay.feature_superusers_full_access,
        global_readonly: user && quay.names_global_readonly(&principal.name),
    }
}

impl App {
    /// What the settings make of a principal.
    pub(crate) fn standing(&self, principal: &PrincipalFacts) -> Standing {
        standing(&self.settings.quay, principal)
    }

    /// Handed on as it is: what is gathered is copied at each step through a future.
    fn gather<'a>(
        &self,
        caller: Option<&'a Caller>,
        about: About<'_>,
    ) -> impl Future<Output = Result<Gathered<'a>, Error>> + Send {
        let (known, caps) = (caller.map(Caller::known), caller.map_or(Caps::NONE, |c| c.caps));
        self.facts.gather(&self.db, known, about, caps, |facts| self.standing(facts))
    }

    /// All that a decision about the repository `name` looks at; `None`: nobody is calling.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it could not be read (so for all of this file).
    pub fn about_repo<'a>(
        &self,
        caller: Option<&'a Caller>,
        name: &RepoName,
    ) -> impl Future<Output = Result<Gathered<'a>, Error>> + Send {
        self.gather(caller, About::Repo(name))
    }

    /// All that a decision about the namespace `name` looks at.
    ///
    /// # Errors
    /// As [`App::about_repo`].
    pub fn about_namespace<'a>(
        &self,
        caller: Option<&'a Caller>,
        name: &str,
    ) -> impl Future<Output = Result<Gathered<'a>, Error>> + Send {
        self.gather(caller, About::Namespace(name))
    }

    /// The proof that `caller` may do `A` to the repository `name`, whether it exists or not (then
    /// its namespace decides, so that a stranger learns nothing).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`].
    pub async fn permit<A: Act>(
        &self,
        caller: Option<&Caller>,
        name: &RepoName,
    ) -> Result<Permit<A>, Error> {
        let gathered = self.about_repo(caller, name).await?;
        let acl = gathered.acl();
        let permit = permit::<A>(&gathered.asker(), name, gathered.namespace, acl);
        self.decisions.count(permit.is_ok());
        permit
    }

    /// The proof that `caller` administers the namespace `name`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`]; a namespace that does not exist is refused
    /// like another's.
    pub async fn permit_namespace(
        &self,
        caller: Option<&Caller>,
        name: &str,
    ) -> Result<NamespaceAdmin, Error> {
        let by = caller.ok_or(Error::Unauthenticated)?.principal.id;
        let gathered = self.about_namespace(caller, name).await?;
        let admin = |facts: &NamespaceFacts| {
            namespace_role(&gathered.asker(), *facts) == Some(OrgRole::Admin)
        };
        let administered = gathered.namespace.filter(admin);
        self.decisions.count(administered.is_some());
        match administered {
            Some(on) => Ok(NamespaceAdmin { on, name: name.to_owned(), by }),
            None => Err(Error::denied("administer", name)),
        }
    }
}

/// The proof that somebody administers a namespace. Only [`App::permit_namespace`] makes it.
#[derive(Clone, Debug)]
pub struct NamespaceAdmin {
    on: NamespaceFacts,
    name: String,
    by: PrincipalId,
}

impl NamespaceAdmin {
    /// The namespace.
    pub fn on(&self) -> NamespaceFacts {
        self.on
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who was permitted.
    pub fn by(&self) -> PrincipalId {
        self.by
    }

    /// What was shown.
    pub(crate) fn right(&self) -> Right {
        Right::In { namespace: self.on.id, name: self.name.clone(), role: OrgRole::Admin }
    }
}
