//! What every request passes here, in upstream's order: readable parameters, `nolinks`, version,
//! read-only state, credentials, what the scopes let in. Only then the resource is reached.
//!
//! Source: `contract/openshift.md` sections 1 to 5; `SECURITY.md` section 4 for the rule about
//! other sites.

use std::time::Duration;

use axum::{body::Body, extract::Request, response::Response};
use claviger_domain::{
    Error,
    scope::openshift::{OpenshiftScope, Reach},
};
use claviger_service::{Caller, Origin, caller::Credential, settings::RegistryState};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION, request::Parts};
use percent_encoding::percent_decode_str;

use super::{
    Openshift, Resource, Suffix, authorizations,
    envelope::{Reply, Style},
    error::{Came, Refusal},
    login::{self, Login},
    params::{Params, Unreadable},
    user,
    version::{Format, Version, wants_no_links},
};
use crate::{Visit, cross_site, headers::keep_nowhere, limit};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    EntryPoint,
    Environment,
    ShowUser,
    DeleteUser,
    List,
    Create,
    DeleteAll,
    Show,
    Update,
    Delete,
}

impl Action {
    /// What `method` does to `resource`.
    fn of(resource: Resource, method: &Method) -> Option<Self> {
        let action = match (resource, method.as_str()) {
            (Resource::EntryPoint, "GET" | "HEAD") => Self::EntryPoint,
            (Resource::Environment, "GET" | "HEAD") => Self::Environment,
            (Resource::User, "GET" | "HEAD") => Self::ShowUser,
            (Resource::User, "DELETE") => Self::DeleteUser,
            (Resource::All, "GET" | "HEAD") => Self::List,
            (Resource::All, "POST") => Self::Create,
            (Resource::All, "DELETE") => Self::DeleteAll,
            (Resource::One, "GET" | "HEAD") => Self::Show,
            (Resource::One, "PUT") => Self::Update,
            (Resource::One, "DELETE") => Self::Delete,
            _ => return None,
        };
        Some(action)
    }

    fn changes(self) -> bool {
        let changing =
            [Self::DeleteUser, Self::Create, Self::DeleteAll, Self::Update, Self::Delete];
        changing.contains(&self)
    }

    /// Lets in who reaches so far with these scopes.
    fn admit(self, reach: Reach, scopes: &str) -> Result<(), Refusal> {
        let (least, permission) = match self {
            Self::EntryPoint | Self::Environment => return Ok(()),
            Self::ShowUser => (Reach::Identity, None),
            Self::List | Self::Show => (Reach::View, None),
            Self::DeleteUser => (Reach::Edit, None),
            Self::Create => (Reach::Edit, Some("create_authorization")),
            Self::Update => (Reach::Edit, Some("update_authorization")),
            Self::Delete | Self::DeleteAll => (Reach::Edit, Some("destroy_authorization")),
        };
        match permission {
            _ if reach < least => Err(Refusal::not_with_these_scopes()),
            Some(permission) if reach < Reach::All => {
                Err(Refusal::not_permitted(scopes, permission))
            }
            _ => Ok(()),
        }
    }
}

/// A request that has passed.
pub(super) struct Call<'a> {
    pub(super) door: &'a Openshift,
    pub(super) caller: &'a Caller,
    /// How far his scopes reach.
    pub(super) reach: Reach,
    pub(super) origin: &'a Origin,
    pub(super) params: &'a Params,
    /// What stands in the place of the id.
    pub(super) id: &'a str,
    pub(super) style: Style,
}

/// Answers a request for `resource`.
pub(super) async fn serve(
    door: &Openshift,
    visit: &Visit,
    resource: Resource,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let suffix = head.extensions.get::<Suffix>().map(|suffix| suffix.0);
    let format = suffix.unwrap_or_else(|| Format::accepted(&head.headers));
    let mut style = Style { format, version: Version::NEWEST, links: true };
    let mut names = HeaderMap::new();
    let outcome = pass(door, visit, resource, &head, body, &mut style, &mut names).await;
    let mut response = match outcome {
        Ok(reply) => reply.write(style),
        Err(refusal) => refusal.write(style),
    };
    response.headers_mut().extend(names);
    keep_nowhere(response.headers_mut());
    response
}

/// `names` gets the headers that tell who is calling.
async fn pass(
    door: &Openshift,
    visit: &Visit,
    resource: Resource,
    head: &Parts,
    body: Body,
    style: &mut Style,
    names: &mut HeaderMap,
) -> Result<Reply, Refusal> {
    let body = limit::read(body).await?;
    let query = head.uri.query().unwrap_or_default();
    let params = Params::read(&head.method, query, &head.headers, &body)?;
    let id = id(head)?;
    let suffixed = head.extensions.get::<Suffix>().is_some();
    if let Some(format) = params.text("format").filter(|_| !suffixed) {
        style.format = Format::named(format);
    }
    let action = Action::of(resource, &method(head, &params)).ok_or_else(Refusal::nothing)?;
    style.links = !(no_links(&params)? || wants_no_links(&head.headers));
    style.version = Version::asked(&head.headers)?;
    if action.changes() {
        refuse_foreign(door, &head.headers)?;
        if door.app.settings().quay.registry_state == RegistryState::Readonly {
            return Err(Refusal::read_only());
        }
    }
    match action {
        Action::EntryPoint => return Ok(user::entry_point(door, style.version)),
        Action::Environment => return Ok(user::environment(door)),
        _ => {}
    }
    let origin = visit.origin();
    let caller = enter(door, &head.headers, &origin).await?;
    visit.note_principal(caller.principal.id);
    let (reach, scopes) = reach(&caller);
    tell(names, &caller, &scopes);
    let reach = reach.ok_or_else(Refusal::without_scopes)?;
    action.admit(reach, &scopes)?;
    let call = Call {
        door,
        caller: &caller,
        reach,
        origin: &origin,
        params: &params,
        id: &id,
        style: *style,
    };
    match action {
        Action::ShowUser => user::show(&call).await,
        Action::DeleteUser => Err(Refusal::no_user_deletion()),
        Action::List => authorizations::list(&call).await,
        Action::Create => authorizations::create(&call).await,
        Action::DeleteAll => authorizations::delete_all(&call).await,
        Action::Show => authorizations::show(&call).await,
        Action::Update => authorizations::update(&call).await,
        Action::Delete => authorizations::delete(&call).await,
        Action::EntryPoint | Action::Environment => Err(Refusal::nothing()),
    }
}

/// The method, or that for which a `POST` stands.
fn method(head: &Parts, params: &Params) -> Method {
    if head.method != Method::POST {
        return head.method.clone();
    }
    let header = head.headers.get("x-http-method-override");
    let header = header.and_then(|value| value.to_str().ok());
    let word = params.over().or(header).unwrap_or_default().to_ascii_uppercase();
    match word.as_str() {
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => Method::POST,
    }
}

/// The last segment of the path, as it was meant.
fn id(head: &Parts) -> Result<String, Unreadable> {
    let last = head.uri.path().rsplit('/').next().unwrap_or_default();
    let decoded = percent_decode_str(last).decode_utf8();
    decoded.map(String::from).map_err(|_| Unreadable::NotUtf8)
}

/// Whether links are left out by a parameter.
fn no_links(params: &Params) -> Result<bool, Refusal> {
    let Some(given) = params.get("nolinks") else { return Ok(false) };
    let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    match given.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::no_links(&given)),
    }
}

/// Refuses what another site made a browser send. Every scheme but Bearer counts as Basic here.
fn refuse_foreign(door: &Openshift, headers: &HeaderMap) -> Result<(), Refusal> {
    let own = &door.app.settings().public_url;
    let by_token = matches!(login::read(headers), Login::Bearer(_));
    let by_itself = headers.contains_key(AUTHORIZATION) && !by_token;
    let foreign = by_itself && cross_site::from_elsewhere(headers, own);
    if foreign || cross_site::is_foreign(headers, own) {
        return Err(Refusal::foreign_site());
    }
    Ok(())
}

/// So long a request waits for its turn after a wrong password. Clients of this door know no 429
/// and ask with the password each time: without it a slip would fail the next command as well.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who is calling.
async fn enter(door: &Openshift, headers: &HeaderMap, origin: &Origin) -> Result<Caller, Refusal> {
    let answer = match log_in(door, headers, origin).await {
        Err(Refused(Error::Throttled { retry_after }, _)) if retry_after <= PATIENCE => {
            tokio::time::sleep(retry_after).await;
            log_in(door, headers, origin).await
        }
        answer => answer,
    };
    answer.map_err(|Refused(error, came)| Refusal::of(&error, came))
}

struct Refused(Error, Came);

async fn log_in(door: &Openshift, headers: &HeaderMap, origin: &Origin) -> Result<Caller, Refused> {
    let (answer, came) = match login::read(headers) {
        Login::Bearer(token) => (door.app.openshift_login(token, origin).await, Came::Bearer),
        Login::Basic(user, password) => {
            (door.app.authenticate_password(&user, password, origin).await, Came::Basic)
        }
        // nobody has failed: clients ask without credentials first
        Login::Nothing => (Err(Error::Unauthenticated), Came::Basic),
    };
    answer.map_err(|error| Refused(error, came))
}

/// How far the caller reaches, and with which scopes; `None` without any that is known.
fn reach(caller: &Caller) -> (Option<Reach>, String) {
    match &caller.credential {
        Credential::Password | Credential::Session { .. } => {
            (Some(Reach::All), "session".to_owned())
        }
        Credential::Token(token) => {
            let scopes = token.scopes.openshift();
            let words: Vec<_> = scopes.iter().map(ToString::to_string).collect();
            (scopes.iter().map(OpenshiftScope::reach).max(), words.join(" "))
        }
    }
}

fn tell(names: &mut HeaderMap, caller: &Caller, scopes: &str) {
    let told = [
        ("x-openshift-identity", &*caller.principal.name),
        ("x-openshift-identity-id", &user::id(caller)),
        ("x-oauth-scopes", scopes),
    ];
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(value) {
            names.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_post_stands_for_another_method() {
        let method = |method: Method, over: &'static str| {
            let request = http::Request::builder().method(method).uri("/");
            let request = request.header("x-http-method-override", over).body(()).unwrap();
            super::method(&request.into_parts().0, &Params::default())
        };
        assert_eq!(method(Method::POST, "delete"), Method::DELETE);
        assert_eq!(method(Method::POST, "PUT"), Method::PUT);
        for other in ["GET", "HEAD", "OPTIONS", "x", ""] {
            assert_eq!(method(Method::POST, other), Method::POST, "{other}");
        }
        assert_eq!(method(Method::GET, "DELETE"), Method::GET);
        assert_eq!(method(Method::PUT, "DELETE"), Method::PUT);
    }

    #[test]
    fn each_reach_lets_in_what_it_should() {
        use Action::{Create, Delete, DeleteAll, DeleteUser, List, Show, ShowUser, Update};
        let all = [ShowUser, List, Show, DeleteUser, Create, Update, Delete, DeleteAll];
        for (reach, admitted) in [
            (Reach::Nowhere, &all[..0]),
            (Reach::Identity, &all[..1]),
            (Reach::View, &all[..3]),
            (Reach::Edit, &all[..4]),
            (Reach::All, &all[..]),
        ] {
            for action in all {
                let let_in = action.admit(reach, "").is_ok();
                assert_eq!(let_in, admitted.contains(&action), "{reach:?} {action:?}");
            }
        }
    }
}
