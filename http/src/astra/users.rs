//! Users: `/accounts/{account}/core/v1/users`.

use std::sync::Arc;

use axum::extract::State;
use claviger_service::account_users::UserView;
use serde::Serialize;

use super::{
    Astra, Here, gate::Call, media::Kind, metadata::Metadata, problem::Problem, reply::Reply,
};
use crate::Routes;

const KIND: Kind =
    Kind { one: "application/astra-user", list: "application/astra-users", version: "1.2" };
const ONE: &str = "/accounts/{account}/core/v1/users/{user}";

pub(super) fn routes() -> Routes<Arc<Astra>> {
    super::list().get(ONE, show)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    #[serde(rename = "authID")]
    auth_id: String,
    auth_provider: &'static str,
    first_name: String,
    last_name: String,
    company_name: String,
    email: String,
    state: &'static str,
    is_enabled: &'static str,
    metadata: Metadata,
}

impl Shown {
    fn of(view: &UserView) -> Self {
        let user = &view.user;
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: user.id.to_string(),
            auth_id: user.name.clone(),
            auth_provider: "local",
            first_name: said(&view.profile.given_name),
            last_name: said(&view.profile.family_name),
            company_name: said(&view.profile.company),
            email: said(&user.email),
            state: view.state().as_str(),
            is_enabled: if user.disabled_at.is_none() { "true" } else { "false" },
            metadata: Metadata::new(
                &view.labels,
                (user.created_at, user.created_by),
                (user.modified_at, user.modified_by),
            ),
        }
    }
}

/// `GET …/users/{user}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let user = call.user(&door, &resident).await?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    Reply::shown(media, &Shown::of(&door.app.user_view(user.user).await?))
}
