//! Who there is: the search behind every field in which a name is typed.
//!
//! Anybody may ask for users. The robots and teams of a namespace, and whether somebody belongs to
//! it, are told only to those who belong to it.
//!
//! Source: `contract/quay-clients.md` 2.4 and 9.5.

use claviger_domain::{Error, access::NamespaceFacts, id::PrincipalId, principal::PrincipalKind};
use claviger_store::{Query, faces, faces::Face, installation, principals, teams};

use crate::{app::App, caller::Caller, organisations::face};

/// How many are found at the most.
const MOST: u8 = 10;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct EntityQuery {
    /// With what the names begin, in lower case.
    pub prefix: String,
    /// The namespace whose robots are searched too, and whose members are marked.
    pub namespace: Option<String>,
    /// Whether its teams are.
    pub teams: bool,
    /// Whether the organisation itself is.
    pub organisation: bool,
}

/// Somebody or something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entity {
    /// The organisation that was searched in.
    Organisation(Face),
    /// A team of it, by its name.
    Team(String),
    /// A user or a robot.
    Principal {
        /// The user or robot.
        face: Face,
        /// Whether he belongs to the organisation that was searched in, if one was.
        of_org: Option<bool>,
    },
}

impl App {
    /// Everybody and everything whose name begins so: the organisation, its teams, then users and
    /// robots by name, one with exactly this name first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn entities(
        &self,
        caller: Option<&Caller>,
        query: EntityQuery,
    ) -> Result<Vec<Entity>, Error> {
        let place = match (&query.namespace, caller) {
            (Some(name), Some(caller)) => self.place(caller, name).await?,
            _ => None,
        };
        self.db.read(move |q| search(q, &query, place.as_ref())).await
    }

    /// The namespace `name` if the caller belongs to it, and whether he administers it.
    async fn place(&self, caller: &Caller, name: &str) -> Result<Option<Place>, Error> {
        match self.seat(Some(caller), name).await {
            Ok(seat) if seat.role.is_some() => Ok(Some(Place {
                namespace: NamespaceFacts { id: seat.org, kind: PrincipalKind::Org },
                is_admin: seat.is_admin(),
            })),
            Ok(_) => Ok(None),
            Err(Error::NotFound(_)) => {
                let own = &*caller.principal.name == name && caller.must_be_own_admin().is_ok();
                let kind = PrincipalKind::User;
                let namespace = NamespaceFacts { id: caller.principal.id, kind };
                Ok(own.then_some(Place { namespace, is_admin: true }))
            }
            Err(error) => Err(error),
        }
    }

    /// What everybody may know of a user, and whether he is a superuser.
    ///
    /// # Errors
    /// [`Error::NotFound`], for robots and organisations too.
    pub async fn public_user(&self, name: &str) -> Result<(Face, bool), Error> {
        let wanted = name.to_owned();
        let user = self.db.peek(move |q: &mut dyn Query| Ok(principals::find_by_name(q, &wanted)?));
        let user = user.await?.filter(|user| user.kind == PrincipalKind::User);
        let user = user.ok_or(Error::NotFound("user"))?;
        let named = self.settings.quay.names_superuser(name);
        Ok((face(&user), named || user.superuser_at.is_some()))
    }
}

/// A namespace that the caller belongs to.
struct Place {
    namespace: NamespaceFacts,
    is_admin: bool,
}

impl Place {
    fn org(&self) -> Option<PrincipalId> {
        (self.namespace.kind == PrincipalKind::Org).then_some(self.namespace.id)
    }
}

fn search(
    q: &mut dyn Query,
    query: &EntityQuery,
    place: Option<&Place>,
) -> Result<Vec<Entity>, Error> {
    let prefix = query.prefix.as_str();
    let mut found = Vec::new();
    let org = place.and_then(Place::org);
    if let Some(org) = org {
        let is_admin = place.is_some_and(|place| place.is_admin);
        if query.organisation && is_admin {
            let this = principals::find(q, &org)?.filter(|this| this.name.starts_with(prefix));
            found.extend(this.as_ref().map(|this| Entity::Organisation(face(this))));
        }
        if query.teams {
            let teams = teams::of_org(q, &org)?.into_iter().map(|counted| counted.team.name);
            found.extend(teams.filter(|name| name.starts_with(prefix)).map(Entity::Team));
        }
    }
    let mut faces = match installation::first_account(q)? {
        Some(account) => faces::users_beginning_with(q, &account, prefix, MOST.into())?,
        None => Vec::new(),
    };
    if let (Some(place), Some(name)) = (place, &query.namespace) {
        faces.extend(robots(q, &place.namespace.id, name, prefix)?);
        faces.sort_by(|a, b| {
            let key = |face: &Face| (face.name != prefix, face.name.clone());
            key(a).cmp(&key(b))
        });
    }
    faces.truncate(MOST.into());
    for face in faces {
        let of_org = match org {
            None => None,
            Some(_) if face.kind == PrincipalKind::Robot => Some(true),
            Some(org) => Some(teams::in_org(q, &org, &face.id)?),
        };
        found.push(Entity::Principal { face, of_org });
    }
    Ok(found)
}

/// The robots of the namespace `name` whose full or short names begin so.
fn robots(
    q: &mut dyn Query,
    owner: &PrincipalId,
    name: &str,
    prefix: &str,
) -> Result<Vec<Face>, Error> {
    let full = if prefix.contains('+') { prefix.to_owned() } else { format!("{name}+{prefix}") };
    Ok(faces::robots_beginning_with(q, owner, &full, MOST.into())?)
}
