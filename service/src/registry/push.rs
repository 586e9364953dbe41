//! A push to a repository that does not exist makes it, for whoever may make one there; where the
//! settings say so, its organisation too.

use claviger_domain::{
    Conflict, Error,
    access::may_create,
    name::{Description, RepoName},
    role::{OrgRole, Visibility},
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    facts::Gathered,
    repositories::NewRepository,
    settings::RegistryState,
};

/// What became of a push to a repository that did not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// The caller has made the repository.
    Made,
    /// Somebody else was faster: what the caller may do to it is to be asked anew.
    Overtaken,
    /// He may not make it.
    Refused,
}

impl App {
    /// Makes the repository `name` if `caller` may: private or public as the settings say.
    /// `gathered` is what is known about it.
    pub(super) async fn make_for_push(
        &self,
        caller: &Caller,
        gathered: &Gathered<'_>,
        name: &RepoName,
        origin: &Origin,
    ) -> Result<Push, Error> {
        let quay = &self.settings.quay;
        if quay.registry_state == RegistryState::Readonly {
            return Ok(Push::Refused);
        }
        let may = match gathered.namespace {
            Some(namespace) => may_create(&gathered.asker(), namespace),
            None => {
                quay.create_namespace_on_push && self.make_namespace(caller, name, origin).await?
            }
        };
        if !may {
            return Ok(Push::Refused);
        }
        let private = quay.create_private_repo_on_push;
        let new = NewRepository {
            name: name.clone(),
            visibility: if private { Visibility::Private } else { Visibility::Public },
            description: Description::default(),
        };
        match self.create_repository(caller, new, origin).await {
            Ok(()) => Ok(Push::Made),
            Err(Error::Conflict(Conflict::RepositoryExists)) => Ok(Push::Overtaken),
            // the name was somebody else's once, or the right has gone meanwhile
            Err(Error::Conflict(_) | Error::Denied { .. }) => Ok(Push::Refused),
            Err(error) => Err(error),
        }
    }

    /// Makes the organisation that is pushed into, if `caller` may; whether he has made it.
    async fn make_namespace(
        &self,
        caller: &Caller,
        name: &RepoName,
        origin: &Origin,
    ) -> Result<bool, Error> {
        if caller.caps.org != Some(OrgRole::Admin) {
            return Ok(false);
        }
        let Ok(namespace) = name.namespace().parse() else { return Ok(false) };
        match self.create_organisation(caller, namespace, None, origin).await {
            Ok(()) => Ok(true),
            // the name is taken, reserved or was somebody else's once, or a robot is calling
            Err(Error::Conflict(_) | Error::Denied { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
