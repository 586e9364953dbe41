//! A push to a repository that does not exist makes it, for whoever may make one there.

use claviger_domain::{
    Conflict, Error,
    access::may_create,
    name::{Description, RepoName},
    role::Visibility,
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
        gathered: &Gathered,
        name: &RepoName,
        origin: &Origin,
    ) -> Result<Push, Error> {
        let quay = &self.settings.quay;
        let may =
            gathered.namespace.is_some_and(|namespace| may_create(&gathered.asker(), namespace));
        if !may || quay.registry_state == RegistryState::Readonly {
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
}
