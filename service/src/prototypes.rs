//! Default permissions of an organisation: what a repository made in it gives to others at once.
//! Making a repository applies them (`claviger_store::prototypes::for_creation`).
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.6 and 9.4.

use claviger_domain::{
    Conflict, Error,
    access::Grantee,
    id::{PrincipalId, PrototypeId},
    principal::PrincipalKind,
    role::Role,
};
pub use claviger_store::prototypes::{Delegate, Member, Prototype};
use claviger_store::{
    Query,
    audit::{self, Act},
    principals::{self, Principal},
    prototypes::{self, NewPrototype},
    teams,
};

use crate::{
    access::NamespaceAdmin,
    app::App,
    caller::{Caller, Origin},
};

/// A default permission that is asked for, by names.
#[derive(Clone, Debug)]
pub struct PrototypeRequest {
    /// Whose new repositories it is for; `None`: everybody's.
    pub activating: Option<String>,
    /// Who gets the permission.
    pub delegate: DelegateName,
    /// Which.
    pub role: Role,
}

/// Who gets a permission, by name.
#[derive(Clone, Debug)]
pub enum DelegateName {
    /// A user, or a robot of the organisation.
    Principal(String),
    /// A team of the organisation.
    Team(String),
}

/// The user or robot `name` of the organisation's account.
fn somebody(
    q: &mut dyn Query,
    org: &Principal,
    name: &str,
    what: &'static str,
) -> Result<PrincipalId, Error> {
    let found = principals::find_by_name(q, name)?;
    let found = found.filter(|p| p.account == org.account && p.kind != PrincipalKind::Org);
    let found = found.ok_or(Error::NotFound(what))?;
    if found.kind == PrincipalKind::Robot && found.owner != Some(org.id) {
        let namespace = org.name.clone();
        return Err(Conflict::ForeignRobot { robot: found.name, namespace }.into());
    }
    Ok(found.id)
}

/// The default permission `id`, as lists show it.
fn shown(q: &mut dyn Query, org: &PrincipalId, id: PrototypeId) -> Result<Prototype, Error> {
    let found = prototypes::of_org(q, org)?.into_iter().find(|prototype| prototype.id == id);
    found.ok_or(Error::NotFound("prototype"))
}

impl App {
    /// The default permissions of an organisation, the oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn prototypes(&self, permit: &NamespaceAdmin) -> Result<Vec<Prototype>, Error> {
        let org = permit.on().id;
        self.db.read(move |q| Ok(prototypes::of_org(q, &org)?)).await
    }

    /// Makes a default permission.
    ///
    /// # Errors
    /// [`Error::NotFound`] (`activating user`, `delegate user`, `delegate team`);
    /// [`Conflict::ForeignRobot`].
    pub async fn create_prototype(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        request: PrototypeRequest,
        origin: &Origin,
    ) -> Result<Prototype, Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        let id = PrototypeId::random(self.chance());
        self.write_as(caller, permit.right(), move |tx| {
            let PrototypeRequest { activating, delegate, role } = request;
            let of = principals::find(tx, &org)?.ok_or(Error::NotFound("organization"))?;
            let activating = match &activating {
                Some(name) => Some(somebody(tx, &of, name, "activating user")?),
                None => None,
            };
            let (delegate, name) = match delegate {
                DelegateName::Principal(name) => {
                    (Grantee::Principal(somebody(tx, &of, &name, "delegate user")?), name)
                }
                DelegateName::Team(name) => {
                    let team = teams::find(tx, &org, &name)?;
                    (Grantee::Team(team.ok_or(Error::NotFound("delegate team"))?.id), name)
                }
            };
            prototypes::insert(tx, &NewPrototype { id, org, activating, delegate, role })?;
            let after = serde_json::json!({ "delegate": name, "role": role.as_str() });
            let after = after.to_string();
            let act = Act::done("create_prototype_permission", "prototype", &name)
                .id(&id)
                .namespace(&namespace)
                .change(None, Some(&after));
            audit::append(tx, now, &actor, &act)?;
            shown(tx, &org, id)
        })
        .await
    }

    /// Gives a default permission another role.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn change_prototype(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        id: PrototypeId,
        role: Role,
        origin: &Origin,
    ) -> Result<Prototype, Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        self.write_as(caller, permit.right(), move |tx| {
            if !prototypes::set_role(tx, &org, &id, role)? {
                return Err(Error::NotFound("prototype"));
            }
            let after = serde_json::json!({ "role": role.as_str() }).to_string();
            let name = id.text();
            let act = Act::done("modify_prototype_permission", "prototype", &name)
                .id(&id)
                .namespace(&namespace)
                .change(None, Some(&after));
            audit::append(tx, now, &actor, &act)?;
            shown(tx, &org, id)
        })
        .await
    }

    /// Takes a default permission away. What was given by it stays.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_prototype(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        id: PrototypeId,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), caller.actor(origin));
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        self.write_as(caller, permit.right(), move |tx| {
            if !prototypes::delete(tx, &org, &id)? {
                return Err(Error::NotFound("prototype"));
            }
            let name = id.text();
            let act = Act::done("delete_prototype_permission", "prototype", &name)
                .id(&id)
                .namespace(&namespace);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }
}
