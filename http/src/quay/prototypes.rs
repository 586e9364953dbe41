//! Default permissions of an organisation, which this dialect calls prototypes.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.6 and 9.4; quay
//! `endpoints/api/prototype.py`.

use std::sync::Arc;

use claviger_domain::{Error, id::PrototypeId, principal::PrincipalKind, role::Role};
use claviger_service::{
    App,
    prototypes::{Delegate, DelegateName, Member, Prototype, PrototypeRequest},
    settings::AvatarKind,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    avatar::Avatar,
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    organisations::permit,
    path::Path,
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ALL: &str = "/api/v1/organization/{orgname}/prototypes";
const ONE: &str = "/api/v1/organization/{orgname}/prototypes/{prototypeid}";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get(ALL, list)
        .post(ALL, create)
        .put(ONE, change)
        .delete(ONE, delete)
}

#[derive(Serialize)]
struct View {
    activating_user: Option<MemberView>,
    delegate: DelegateView,
    role: &'static str,
    id: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DelegateView {
    Principal(MemberView),
    Team { name: String, kind: &'static str, avatar: Avatar },
}

#[derive(Serialize)]
struct MemberView {
    name: String,
    is_robot: bool,
    kind: &'static str,
    is_org_member: bool,
    avatar: Avatar,
}

impl MemberView {
    fn new(member: Member, style: AvatarKind) -> Self {
        let Member { face, of_org } = member;
        Self {
            is_robot: face.kind == PrincipalKind::Robot,
            avatar: Avatar::of(style, &face),
            name: face.name,
            kind: "user",
            is_org_member: of_org,
        }
    }
}

impl View {
    fn new(prototype: Prototype, style: AvatarKind) -> Self {
        let Prototype { id, activating, delegate, role } = prototype;
        Self {
            activating_user: activating.map(|member| MemberView::new(member, style)),
            delegate: match delegate {
                Delegate::Principal(member) => {
                    DelegateView::Principal(MemberView::new(member, style))
                }
                Delegate::Team(name) => {
                    DelegateView::Team { avatar: Avatar::of_team(style, &name), name, kind: "team" }
                }
            },
            role: role.as_str(),
            id: id.to_string(),
        }
    }
}

#[derive(Serialize)]
struct Prototypes {
    prototypes: Vec<View>,
}

/// `GET …/prototypes`, the oldest first.
async fn list(Path(org): Path<String>, call: Call) -> Result<Json<Prototypes>, QuayError> {
    let permit = permit(&call, &org).await?;
    let found = call.app.prototypes(&permit).await?;
    let prototypes = found.into_iter().map(|one| View::new(one, call.avatars())).collect();
    Ok(Json(Prototypes { prototypes }))
}

const ROLE: Field = Field::required("role", Kind::String).one_of(&["read", "write", "admin"]);
const USER: Schema = Schema(&[Field::required("name", Kind::String)]);
const DELEGATE: Schema = Schema(&[
    Field::required("name", Kind::String),
    Field::required("kind", Kind::String).one_of(&["user", "team"]),
]);
const NEW: Schema = Schema(&[
    ROLE,
    Field::optional("activating_user", Kind::Object(&USER)).or_null(),
    Field::required("delegate", Kind::Object(&DELEGATE)),
]);

#[derive(Deserialize)]
struct New {
    role: String,
    activating_user: Option<Named>,
    delegate: NewDelegate,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct NewDelegate {
    name: String,
    kind: String,
}

/// `POST …/prototypes`.
async fn create(Path(org): Path<String>, call: Call, body: Body) -> Result<Json<View>, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    let New { role, activating_user, delegate } = body.read(&NEW)?;
    let NewDelegate { name, kind } = delegate;
    let delegate = match kind.as_str() {
        "team" => DelegateName::Team(name.clone()),
        _ => DelegateName::Principal(name.clone()),
    };
    let request = PrototypeRequest {
        activating: activating_user.map(|user| user.name),
        delegate,
        role: parse_role(&role)?,
    };
    match call.app.create_prototype(&permit, caller, request, &call.origin).await {
        Ok(made) => Ok(Json(View::new(made, call.avatars()))),
        Err(Error::NotFound("activating user")) => {
            Err(QuayError::invalid("Unknown activating user"))
        }
        Err(Error::NotFound("delegate user")) => {
            Err(QuayError::invalid("Missing delegate user or team"))
        }
        // upstream forgets to put the names in, and clients see it so
        Err(Error::NotFound("delegate team")) => Err(QuayError::message(
            StatusCode::BAD_REQUEST,
            format!("('Team does not exist: %s/%s', '{org}', '{name}')"),
        )),
        Err(error) => Err(error.into()),
    }
}

fn parse_role(role: &str) -> Result<Role, QuayError> {
    Ok(role.parse().map_err(|why| Error::invalid("role", why))?)
}

fn parse_id(id: &str) -> Result<PrototypeId, QuayError> {
    id.parse().map_err(|_| QuayError::not_found())
}

const CHANGE: Schema = Schema(&[ROLE]);

#[derive(Deserialize)]
struct Change {
    role: String,
}

/// `PUT …/prototypes/{prototypeid}`.
async fn change(
    Path((org, id)): Path<(String, String)>,
    call: Call,
    body: Body,
) -> Result<Json<View>, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    let Change { role } = body.read(&CHANGE)?;
    let (id, role) = (parse_id(&id)?, parse_role(&role)?);
    let changed = call.app.change_prototype(&permit, caller, id, role, &call.origin).await?;
    Ok(Json(View::new(changed, call.avatars())))
}

/// `DELETE …/prototypes/{prototypeid}`.
async fn delete(
    Path((org, id)): Path<(String, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    call.app.delete_prototype(&permit, caller, parse_id(&id)?, &call.origin).await?;
    Ok(NoContent)
}
