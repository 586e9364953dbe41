//! Repositories: making, showing, changing and removing them; here they are names with rights, the
//! content lies in the registry.
//!
//! Whoever makes a repository is its admin; in an organisation its default permissions are given
//! besides. A removed repository leaves a tombstone, because the registry may still hold what lay
//! under the name: only the same namespace or a superuser takes it again.
//!
//! Source: `contract/quay.md` sections 6.3 and 7, `contract/quay-clients.md` 9.3.

use claviger_domain::{
    Conflict, Error, UnixMillis,
    access::{Administer, Describe, Grantee, NamespaceFacts, may_create, namespace_role},
    id::{PrincipalId, RepoId},
    name::{Description, Namespace, RepoName},
    principal::PrincipalKind,
    role::{OrgRole, RepoState, Role, Visibility},
};
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    names::{self, NameOf},
    permissions, principals, prototypes,
    repositories::{self, Listed, Repository, Sight, Visible, Which},
    stars,
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    reach::Reach,
    still::Right,
};

/// How many repositories a page of a list has at most.
pub const PAGE: usize = 100;

/// A repository to be made.
#[derive(Clone, Debug)]
pub struct NewRepository {
    /// Its full name.
    pub name: RepoName,
    /// Who may pull it without a permission.
    pub visibility: Visibility,
    /// What is said of it.
    pub description: Description,
}

/// A repository, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryLine {
    /// Its full name.
    pub name: String,
    /// What is said of it.
    pub description: String,
    /// Who may pull it without a permission.
    pub visibility: Visibility,
    /// Whether it takes pushes.
    pub state: RepoState,
    /// Whether who looks has starred it.
    pub starred: bool,
}

/// A repository, as its own answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryView {
    /// What lists show of it.
    pub repository: RepositoryLine,
    /// Whether it lies in an organisation.
    pub of_org: bool,
    /// What whoever looks may do to it.
    pub role: Role,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryPage {
    /// At most [`PAGE`] repositories, in the order in which they were made.
    pub repositories: Vec<RepositoryLine>,
    /// Where the next page begins, when there is more.
    pub next: Option<i64>,
}

/// Which repositories are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryFilter {
    /// Public ones too, and not only those that a right of one's own reaches.
    pub public: bool,
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Only those that who looks has starred, in whatever namespace.
    pub starred: bool,
    /// Only those behind this place.
    pub after: i64,
}

/// What is changed of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryChange {
    /// Who may pull it without a permission.
    Visibility(Visibility),
    /// Whether it takes pushes.
    State(RepoState),
}

impl App {
    /// Makes a repository, with its maker as admin and the default permissions of its organisation.
    ///
    /// # Errors
    /// [`Error::Denied`] for somebody who may not make repositories there, also where there is no
    /// such namespace; [`Conflict::RepositoryExists`], [`Conflict::NameReserved`].
    pub async fn create_repository(
        &self,
        caller: &Caller,
        new: NewRepository,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (namespace, owns) = self.creator_in(caller, new.name.namespace()).await?;
        let maker = Maker { owns, ..self.maker(caller, origin) };
        let name = new.name.namespace().to_owned();
        let right = Right::In { namespace: namespace.id, name, role: OrgRole::Creator };
        self.write_as(caller, right, move |tx| {
            if repositories::find(tx, new.name.as_str())?.is_some() {
                return Err(Conflict::RepositoryExists.into());
            }
            maker.make(tx, namespace, &new)
        })
        .await
    }

    /// Whether `caller` may make repositories in the namespace `name`.
    ///
    /// # Errors
    /// [`Error::Denied`], for a namespace that does not exist too.
    pub async fn may_create_in(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<NamespaceFacts, Error> {
        self.creator_in(caller, name).await.map(|(namespace, _)| namespace)
    }

    /// The same, and whether the namespace is his as the settings and the credential have it.
    async fn creator_in(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(NamespaceFacts, bool), Error> {
        let denied = || Error::denied("create repositories in", name);
        let name = name.parse::<Namespace>().map_err(|_| denied())?;
        let gathered = self.about_namespace(Some(caller), name.as_str()).await?;
        let asker = gathered.asker();
        let namespace = gathered.namespace.filter(|namespace| may_create(&asker, *namespace));
        let namespace = namespace.ok_or_else(denied)?;
        Ok((namespace, namespace_role(&asker, namespace) == Some(OrgRole::Admin)))
    }

    /// A repository, for whoever may pull it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for whoever may see the namespace; [`Error::Denied`] and
    /// [`Error::Unauthenticated`] for others, whether there is one or not.
    pub async fn repository(
        &self,
        caller: Option<&Caller>,
        path: &str,
    ) -> Result<RepositoryView, Error> {
        let (name, role) = self.visible_repository(caller, path).await?;
        let who = caller.map(|caller| caller.principal.id);
        self.db
            .read(move |q| {
                let repo = repositories::find(q, name.as_str())?;
                let repo = repo.ok_or(Error::NotFound("repository"))?;
                let namespace = principals::find(q, &repo.namespace)?;
                let of_org = namespace.is_some_and(|found| found.kind == PrincipalKind::Org);
                let starred = match &who {
                    Some(who) => stars::is_there(q, who, &repo.id)?,
                    None => false,
                };
                Ok(RepositoryView { repository: RepositoryLine::new(repo, starred), of_org, role })
            })
            .await
    }

    /// The repositories that `caller` sees, or that are public.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn repositories(
        &self,
        caller: Option<&Caller>,
        filter: RepositoryFilter,
    ) -> Result<RepositoryPage, Error> {
        let which = match filter.namespace {
            _ if filter.starred => Which::Starred,
            Some(name) if name.parse::<Namespace>().is_err() => {
                return Ok(RepositoryPage { repositories: Vec::new(), next: None });
            }
            Some(name) => Which::InNamespace(name),
            None => Which::All,
        };
        let visible = Visible {
            sight: sight(caller, filter.public || filter.starred),
            which,
            stars_of: caller.map(|caller| caller.principal.id),
            after: filter.after,
            limit: i64::try_from(PAGE + 1).unwrap_or(i64::MAX),
        };
        let mut found = self.db.read(move |q| Ok(repositories::visible(q, &visible)?)).await?;
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let next = found.last().filter(|_| more).map(|last| last.place);
        let line = |found: Listed| RepositoryLine::new(found.repository, found.starred);
        let repositories = found.into_iter().map(line).collect();
        Ok(RepositoryPage { repositories, next })
    }

    /// Says something else of a repository.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn describe_repository(
        &self,
        caller: &Caller,
        on: Reach<Describe>,
        description: Description,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let mut repo = on.find(tx)?.ok_or(Error::NotFound("repository"))?;
            let new = description.as_str().to_owned();
            let old = std::mem::replace(&mut repo.description, new);
            repositories::update(tx, &repo)?;
            let change = Some(("description", old.as_str(), description.as_str()));
            append(tx, now, &actor, "set_repo_description", &repo, change)
        })
        .await
    }

    /// Changes a repository's visibility or state.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn change_repository(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        change: RepositoryChange,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let mut repo = on.find(tx)?.ok_or(Error::NotFound("repository"))?;
            let (act, what, before, after) = match change {
                RepositoryChange::Visibility(new) => {
                    let old = std::mem::replace(&mut repo.visibility, new);
                    ("change_repo_visibility", "visibility", old.as_str(), new.as_str())
                }
                RepositoryChange::State(new) => {
                    let old = std::mem::replace(&mut repo.state, new);
                    ("change_repo_state", "state", old.as_str(), new.as_str())
                }
            };
            repositories::update(tx, &repo)?;
            append(tx, now, &actor, act, &repo, Some((what, before, after)))
        })
        .await
    }

    /// Removes a repository; nothing happens where there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_repository(
        &self,
        caller: &Caller,
        on: Reach<Administer>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        self.write_as(caller, on.right(), move |tx| {
            let Some(repo) = on.find(tx)? else { return Ok(()) };
            repositories::delete(tx, &repo)?;
            names::bury(tx, &repo.name, NameOf::Repository, Some(&repo.namespace), now)?;
            append(tx, now, &actor, "delete_repo", &repo, None)
        })
        .await
    }

    fn maker(&self, caller: &Caller, origin: &Origin) -> Maker {
        Maker {
            id: RepoId::random(self.chance()),
            who: caller.principal.id,
            owns: false,
            superuser: caller.standing.superuser && caller.caps.superuser,
            now: self.now(),
            actor: caller.actor(origin),
        }
    }
}

/// What `caller` sees of all repositories, with what is public or without.
pub(crate) fn sight(caller: Option<&Caller>, public: bool) -> Sight {
    let everything = caller.is_some_and(|caller| {
        let standing = caller.standing;
        let superuser = standing.superuser && standing.full_access && caller.caps.superuser;
        superuser || standing.global_readonly
    });
    let reader = caller.filter(|caller| caller.caps.repo.is_some());
    Sight { of: reader.map(|caller| caller.principal.id), everything, public }
}

/// Who makes a repository, when.
struct Maker {
    id: RepoId,
    who: PrincipalId,
    /// Whether the namespace is his: he may have back what was removed from it.
    owns: bool,
    superuser: bool,
    now: UnixMillis,
    actor: Actor,
}

impl Maker {
    /// Makes `new`, whose name no repository has.
    fn make(
        &self,
        tx: &mut Tx<'_>,
        namespace: NamespaceFacts,
        new: &NewRepository,
    ) -> Result<(), Error> {
        let name = new.name.as_str();
        if let Some(tombstone) = names::tombstone(tx, name)? {
            let his = self.owns && tombstone.former_owner == Some(namespace.id);
            if !his && !self.superuser {
                return Err(Conflict::NameReserved(name.to_owned()).into());
            }
            names::free(tx, name)?;
        }
        let repo = Repository {
            id: self.id,
            namespace: namespace.id,
            name: name.to_owned(),
            visibility: new.visibility,
            state: RepoState::Normal,
            description: new.description.as_str().to_owned(),
            created_by: Some(self.who),
            created_at: self.now,
        };
        repositories::insert(tx, &repo)?;
        permissions::give(tx, &repo, &Grantee::Principal(self.who), Role::Admin, self.now)?;
        let mut given = prototypes::for_creation(tx, &namespace.id, &self.who)?;
        // teams come first, as lists show them upstream
        given.sort_by_key(|(to, _)| matches!(to, Grantee::Principal(_)));
        for (to, role) in &given {
            permissions::give(tx, &repo, to, *role, self.now)?;
        }
        append(tx, self.now, &self.actor, "create_repo", &repo, None)
    }
}

impl RepositoryLine {
    fn new(repo: Repository, starred: bool) -> Self {
        let Repository { name, description, visibility, state, .. } = repo;
        Self { name, description, visibility, state, starred }
    }
}

/// Writes the audit row of an act on a repository; `change` is what was changed, from and to what.
fn append(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &'static str,
    repo: &Repository,
    change: Option<(&str, &str, &str)>,
) -> Result<(), Error> {
    let said = |what: &str, value: &str| serde_json::json!({ what: value }).to_string();
    let before = change.map(|(what, before, _)| said(what, before));
    let after = change.map(|(what, _, after)| said(what, after));
    let namespace = repo.name.split('/').next().unwrap_or_default();
    let act = Act::done(act, "repository", &repo.name)
        .id(&repo.id)
        .namespace(namespace)
        .change(before.as_deref(), after.as_deref());
    Ok(audit::append(tx, now, actor, &act)?)
}
