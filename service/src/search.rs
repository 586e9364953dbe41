//! The search for repositories and namespaces by a part of their names.
//!
//! Source: `contract/quay-clients.md` section 4; quay `endpoints/api/search.py`.

use claviger_domain::{Error, role::Visibility};
use claviger_store::{
    organisations, principals,
    repositories::{self, Search},
};

use crate::{
    app::App,
    caller::Caller,
    organisations::{Face, face},
    repositories::sight,
};

/// How many namespaces are found at most.
const MOST_NAMESPACES: usize = 5;

/// A repository that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRepository {
    /// Its namespace.
    pub namespace: Face,
    /// Its full name.
    pub name: String,
    /// What is said of it.
    pub description: String,
    /// Who may pull it without a permission.
    pub visibility: Visibility,
    /// How many users have starred it.
    pub stars: i64,
}

impl App {
    /// The repositories that `caller` sees and whose names contain `text`, the shortest names
    /// first: at most `limit` behind the first `skip`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn find_repositories(
        &self,
        caller: Option<&Caller>,
        text: &str,
        skip: i64,
        limit: i64,
    ) -> Result<Vec<FoundRepository>, Error> {
        // names are ASCII, and PostgreSQL takes no NUL
        if !text.is_ascii() || text.contains('\0') {
            return Ok(Vec::new());
        }
        let search =
            Search { sight: sight(caller, true), text: text.to_ascii_lowercase(), skip, limit };
        let found = self.db.read(move |q| Ok(repositories::search(q, &search)?)).await?;
        let line = |found: repositories::Found| FoundRepository {
            namespace: found.namespace,
            name: found.repository.name,
            description: found.repository.description,
            visibility: found.repository.visibility,
            stars: found.stars,
        };
        Ok(found.into_iter().map(line).collect())
    }

    /// The user himself and his organisations, those whose names contain `text`; the shortest
    /// names first, only a few.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn find_namespaces(&self, caller: &Caller, text: &str) -> Result<Vec<Face>, Error> {
        let (id, text) = (caller.principal.id, text.to_lowercase());
        let mut found = self
            .db
            .read(move |q| {
                let own = principals::find(q, &id)?;
                let mut faces = organisations::of_user(q, &id)?;
                faces.extend(own.as_ref().map(face));
                faces.retain(|face| face.name.contains(&text));
                Ok(faces)
            })
            .await?;
        found.sort_by_key(|face| face.name.len());
        found.truncate(MOST_NAMESPACES);
        Ok(found)
    }
}
