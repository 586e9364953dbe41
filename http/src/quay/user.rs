//! The user himself: what he is, signing up, the first user of an empty store.
//!
//! Source: `contract/quay.md` sections 5 and 7, `contract/quay-clients.md` 2.1; quay
//! `endpoints/api/user.py`, `endpoints/web.py`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_domain::{
    Error,
    name::{Email, Namespace, Text},
};
use claviger_service::{
    App, Caller,
    organisations::OrganisationSettings,
    own_user::{OwnChange, OwnOrganisation, OwnUser, Profile, ProfileChange},
    passwords::Password,
    settings::{AvatarKind, RegistryState},
};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, FORWARDED, VIA},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    avatar::Avatar,
    body::Body,
    error::{QuayError, read_only},
    gate::{Call, OpenCall},
    json::Json,
    organisations::{bad_namespace, given},
    schema::{Field, Kind, Schema},
    sessions::hand_over,
};
use crate::{Routes, Visit, client_ip::FORWARDED_FOR, cross_site, log::Cause};

const USER: &str = "/api/v1/user/";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).get(USER, show).post(USER, sign_up).put(USER, change)
}

/// The route that makes the first user.
pub(crate) fn initialize_routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).post("/api/v1/user/initialize", initialize)
}

#[derive(Serialize)]
struct OrganisationLine {
    name: String,
    avatar: Avatar,
    can_create_repo: bool,
    public: bool,
    #[serde(flatten)]
    admin: Option<OrganisationAdminLine>,
}

/// What only a credential that may change the user sees of his organisations.
#[derive(Serialize)]
struct OrganisationAdminLine {
    is_org_admin: bool,
    preferred_namespace: bool,
}

/// What only a credential that may change the user sees of him.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are Quay's keys")]
struct AdminView {
    can_create_repo: bool,
    is_me: bool,
    verified: bool,
    email: String,
    logins: [(); 0],
    invoice_email: bool,
    invoice_email_address: Option<String>,
    preferred_namespace: bool,
    tag_expiration_s: i64,
    prompts: [(); 0],
    company: Option<String>,
    family_name: Option<String>,
    given_name: Option<String>,
    location: Option<String>,
    is_free_account: bool,
    has_password_set: bool,
}

#[derive(Serialize)]
struct View {
    anonymous: bool,
    username: String,
    avatar: Avatar,
    #[serde(flatten)]
    admin: Option<AdminView>,
    organizations: Vec<OrganisationLine>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    super_user: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    global_readonly_super_user: bool,
}

impl View {
    fn new(user: OwnUser, caller: &Caller, style: AvatarKind) -> Self {
        let admin = caller.must_be_own_admin().is_ok();
        let line = |org: OwnOrganisation| OrganisationLine {
            avatar: Avatar::of_org(style, &org.face),
            name: org.face.name,
            can_create_repo: org.may_create,
            public: false,
            admin: admin.then_some(OrganisationAdminLine {
                is_org_admin: org.is_admin,
                preferred_namespace: false,
            }),
        };
        let OwnUser { face, verified, has_password, profile, organisations } = user;
        let Profile { settings, company, family_name, given_name, location, .. } = profile;
        let OrganisationSettings { tag_expiration_s, invoice_email, invoice_email_address } =
            settings;
        Self {
            anonymous: false,
            avatar: Avatar::of(style, &face),
            username: face.name,
            admin: admin.then(|| AdminView {
                can_create_repo: true,
                is_me: true,
                verified,
                email: face.email.unwrap_or_default(),
                logins: [],
                invoice_email,
                invoice_email_address,
                preferred_namespace: false,
                tag_expiration_s,
                prompts: [],
                company,
                family_name,
                given_name,
                location,
                is_free_account: true,
                has_password_set: has_password,
            }),
            organizations: organisations.into_iter().map(line).collect(),
            super_user: caller.standing.superuser && caller.caps.superuser,
            global_readonly_super_user: caller.standing.global_readonly,
        }
    }
}

/// The caller himself.
///
/// # Errors
/// 503.
pub(crate) async fn view(call: &Call, caller: &Caller) -> Result<Response, QuayError> {
    let user = call.app.own_user(caller).await?;
    Ok(Json(View::new(user, caller, call.avatars())).into_response())
}

/// `GET /api/v1/user/`. Scripts ask it to learn whether somebody is signed in, so whoever may not
/// know is answered as nobody.
async fn show(OpenCall(call): OpenCall) -> Result<Response, QuayError> {
    let caller = call.user_reader().map_err(|_| QuayError::no_session())?;
    view(&call, caller).await
}

const SIGN_UP: Schema = Schema(&[
    Field::required("username", Kind::String),
    Field::required("password", Kind::String),
    Field::optional("email", Kind::String),
    Field::optional("invite_code", Kind::String),
    Field::optional("recaptcha_response", Kind::String),
]);

#[derive(Deserialize)]
struct SignUp {
    username: String,
    password: String,
    #[serde(default)]
    email: Option<String>,
}

/// Why somebody cannot be made what he wants to be.
fn parse_password(text: String) -> Result<Password, String> {
    const PROBLEM: &str =
        "Invalid password, password must be at least 8 characters and contain no whitespace.";
    Password::new(text).map_err(|_| PROBLEM.to_owned())
}

fn parse_name(text: &str) -> Result<Namespace, String> {
    text.parse().map_err(|problem| bad_namespace(text, problem))
}

fn parse_email(text: Option<&str>, required: bool) -> Result<Option<Email>, String> {
    match text.filter(|text| !text.is_empty()) {
        None if required => Err("Email address is required".to_owned()),
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(email) => Ok(Some(email)),
            Err(_) => Err(format!("Invalid email address: {text}")),
        },
    }
}

/// `POST /api/v1/user/`: somebody makes himself a user.
async fn sign_up(OpenCall(call): OpenCall, body: Body) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Awaiting {
        awaiting_verification: bool,
    }
    let quay = &call.app.settings().quay;
    if !quay.feature_user_creation {
        return Err(QuayError::not_found());
    }
    let SignUp { username, password, email } = body.read(&SIGN_UP)?;
    let email = parse_email(email.as_deref(), quay.feature_mailing).map_err(QuayError::invalid)?;
    let password = parse_password(password).map_err(QuayError::invalid)?;
    let name = parse_name(&username).map_err(QuayError::invalid)?;
    match call.app.sign_up(name, email, password, &call.origin).await? {
        None => Ok(Json(Awaiting { awaiting_verification: true }).into_response()),
        Some(begun) => {
            let mut response = view(&call, &begun.caller).await?;
            hand_over(&mut response, &begun, call.app.settings().https());
            Ok(response)
        }
    }
}

const CHANGE: Schema = Schema(&[
    Field::optional("password", Kind::String),
    Field::optional("invoice_email", Kind::Boolean),
    Field::optional("email", Kind::String),
    Field::optional("tag_expiration_s", Kind::Integer),
    Field::optional("username", Kind::String),
    Field::optional("invoice_email_address", Kind::String).or_null(),
    Field::optional("given_name", Kind::String).or_null(),
    Field::optional("family_name", Kind::String).or_null(),
    Field::optional("company", Kind::String).or_null(),
    Field::optional("location", Kind::String).or_null(),
]);

#[derive(Deserialize)]
#[expect(clippy::option_option, reason = "absent and null are two wishes")]
struct Change {
    password: Option<String>,
    email: Option<String>,
    tag_expiration_s: Option<i64>,
    invoice_email: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    invoice_email_address: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    company: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    family_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    given_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    location: Option<Option<String>>,
}

/// `PUT /api/v1/user/`. Names are not changed here, as upstream does not by default.
async fn change(call: Call, body: Body) -> Result<Response, QuayError> {
    let caller = call.user_admin()?;
    let by = call.fresh()?;
    let change = parse_change(body.read(&CHANGE)?)?;
    match call.app.change_own_user(&by, change, &call.origin).await? {
        None => view(&call, caller).await,
        Some(begun) => {
            let mut response = view(&call, &begun.caller).await?;
            hand_over(&mut response, &begun, call.app.settings().https());
            Ok(response)
        }
    }
}

fn parse_change(change: Change) -> Result<OwnChange, QuayError> {
    if change.tag_expiration_s.is_some_and(|s| !OrganisationSettings::TAG_EXPIRATIONS.contains(&s))
    {
        return Err(QuayError::message(StatusCode::BAD_REQUEST, "Invalid tag expiration option"));
    }
    for (name, text) in [
        ("invoice_email_address", &change.invoice_email_address),
        ("company", &change.company),
        ("family_name", &change.family_name),
        ("given_name", &change.given_name),
        ("location", &change.location),
    ] {
        if let Some(Some(text)) = text {
            text.parse::<Text<255>>().map_err(|why| QuayError::invalid(format!("{name} {why}")))?;
        }
    }
    let password = change.password.map(parse_password).transpose().map_err(QuayError::invalid)?;
    let email = parse_email(change.email.as_deref(), false).map_err(QuayError::invalid)?;
    Ok(OwnChange {
        password,
        email,
        profile: ProfileChange {
            tag_expiration_s: change.tag_expiration_s,
            invoice_email: change.invoice_email,
            invoice_email_address: change.invoice_email_address,
            company: change.company,
            family_name: change.family_name,
            given_name: change.given_name,
            location: change.location,
        },
    })
}

const INITIALIZE: Schema = Schema(&[
    Field::required("username", Kind::String),
    Field::required("password", Kind::String),
    Field::optional("email", Kind::String).or_null(),
]);

#[derive(Deserialize)]
struct Initialize {
    username: String,
    password: String,
    #[serde(default)]
    email: Option<String>,
    /// Anything that Python takes for true; some clients send the scopes.
    #[serde(default)]
    access_token: Value,
}

#[derive(Serialize)]
struct Initialized {
    username: String,
    email: Option<String>,
    /// There is no such thing here; clients only pass it on.
    encrypted_password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// `POST /api/v1/user/initialize`: the first user of an empty store, a superuser. Nobody can prove
/// anything yet, so only this machine may ask: not through a proxy, and no foreign page.
async fn initialize(
    State(app): State<Arc<App>>,
    visit: Visit,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, QuayError> {
    let failed = |problem: String| {
        let text = format!("Failed to initialize user: {problem}");
        QuayError::message(StatusCode::BAD_REQUEST, text)
    };
    let proxied = [FORWARDED_FOR, FORWARDED, VIA].iter().any(|name| headers.contains_key(name));
    let here = visit.address().is_some_and(|address| address.is_loopback());
    if !here || proxied || cross_site::from_elsewhere(&headers, &app.settings().public_url) {
        let text = "The first user can be made from the server's own machine only";
        return Err(QuayError::message(StatusCode::FORBIDDEN, text).because(Cause::word("origin")));
    }
    if app.settings().quay.registry_state == RegistryState::Readonly {
        return Err(read_only());
    }
    if app.has_users().await? {
        return Err(not_empty());
    }
    let Initialize { username, password, email, access_token } = body.read(&INITIALIZE)?;
    let mailing = app.settings().quay.feature_mailing;
    let address = parse_email(email.as_deref(), mailing).map_err(failed)?;
    let password = parse_password(password).map_err(failed)?;
    let name = parse_name(&username).map_err(failed)?;
    let wants_token = is_true(&access_token);
    let made = app.initialize_users(name, address, password, wants_token, &visit.origin()).await;
    let made = match made {
        Err(Error::Conflict(claviger_domain::Conflict::NotEmpty)) => return Err(not_empty()),
        other => other?,
    };
    let reply = Initialized {
        username,
        email,
        encrypted_password: None,
        access_token: made.token.map(|token| token.expose().to_owned()),
    };
    let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let mut response = (no_store, Json(reply)).into_response();
    hand_over(&mut response, &made.signed_in, app.settings().https());
    Ok(response)
}

fn not_empty() -> QuayError {
    QuayError::message(StatusCode::BAD_REQUEST, "Cannot initialize user in a non-empty database")
}
