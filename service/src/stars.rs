//! Stars: repositories that a user wants to find again.
//!
//! They give no right, so nothing is evicted; they go with the user and with the repository.
//!
//! Source: `contract/quay-clients.md` 2.8 and 9.3.

use claviger_domain::{Error, UnixMillis, name::RepoName};
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    repositories::{self, Repository},
    stars,
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    still::Right,
};

impl App {
    /// Stars the repository that `path` names; whether `caller` sees one there.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when his credential has ended meanwhile; [`Error::Unavailable`].
    pub async fn star(&self, caller: &Caller, path: &str, origin: &Origin) -> Result<bool, Error> {
        let name = match self.visible_repository(Some(caller), path).await {
            Ok((name, _)) => name,
            Err(Error::Denied { .. } | Error::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let (who, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        let starred = self.write_as(caller, Right::to_see(path), move |tx| {
            let Some(repo) = repositories::find(tx, name.as_str())? else { return Ok(false) };
            if !stars::is_there(tx, &who, &repo.id)? {
                stars::insert(tx, &who, &repo.id, now)?;
                append(tx, now, &actor, "star_repo", &repo)?;
            }
            Ok(true)
        });
        match starred.await {
            Err(Error::Denied { .. }) => Ok(false),
            starred => starred,
        }
    }

    /// Takes the star of `caller` away from what `path` names; nothing happens where there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unstar(&self, caller: &Caller, path: &str, origin: &Origin) -> Result<(), Error> {
        let Ok(name) = path.parse::<RepoName>() else { return Ok(()) };
        let (who, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let Some(repo) = repositories::find(tx, name.as_str())? else { return Ok(()) };
            if stars::delete(tx, &who, &repo.id)? {
                append(tx, now, &actor, "unstar_repo", &repo)?;
            }
            Ok(())
        })
        .await
    }
}

/// Writes the audit row, in the log of whose star it is: others learn nothing of it.
fn append(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &'static str,
    repo: &Repository,
) -> Result<(), Error> {
    let act = Act::done(act, "repository", &repo.name).id(&repo.id).namespace(&actor.name);
    Ok(audit::append(tx, now, actor, &act)?)
}
