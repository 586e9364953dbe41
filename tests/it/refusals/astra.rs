//! What the refusal table sends to the Astra door: an account, a user in it, and bodies.

use claviger_domain::{
    id::{AccountId, PrincipalId},
    principal::PrincipalKind,
    role::AccountRole,
};
use claviger_http::routes::RouteLine;
use claviger_store::{
    accounts::{self, Account},
    principals::{self, Principal},
    role_bindings,
};
use claviger_tests::app::TestApp;
use serde_json::{Value, json};

/// An account of the Astra door, and a user in it.
pub(super) const ACCOUNT: &str = "00000000-0000-4000-8000-00000000ac00";
pub(super) const USER: &str = "00000000-0000-4000-8000-00000000ac01";

/// Makes the account that the paths of the Astra door name. Every superuser is its owner.
pub(super) async fn make_account(app: &TestApp) {
    let (account, user): (AccountId, PrincipalId) =
        (ACCOUNT.parse().expect("an id"), USER.parse().expect("an id"));
    let now = app.app.now();
    let made = app.db.write(move |tx| {
        accounts::insert(tx, &Account::new(account, "Refusals", now, None))?;
        let new = Principal::new(user, account, PrincipalKind::User, "refused", now);
        principals::insert(tx, &new)?;
        Ok(role_bindings::insert_first(tx, &user, &account, AccountRole::Member, now, None)?)
    });
    made.await.expect("an account");
}

/// A body that could be good.
pub(super) fn fields(route: &RouteLine) -> Value {
    if !matches!(route.method, "POST" | "PUT") {
        return json!({});
    }
    let kind = route.template.split('/').rfind(|word| !word.starts_with('{'));
    match kind.unwrap_or_default() {
        "accounts" => json!({
            "type": "application/astra-account", "version": "1.0", "name": "Testing",
            "metadata": {"labels": [{"name": "a", "value": "b"}]},
        }),
        "tokens" => json!({
            "type": "application/astra-token", "version": "1.0", "name": "Testing",
            "metadata": {"labels": [{"name": "a", "value": "b"}]},
        }),
        "users" => json!({
            "type": "application/astra-user", "version": "1.2", "firstName": "Ann",
            "email": "ann@example.com",
            "metadata": {"labels": [{"name": "a", "value": "b"}]},
        }),
        "roleBindings" => json!({
            "type": "application/astra-roleBinding", "version": "1.1", "accountID": ACCOUNT,
            "userID": USER, "role": "viewer", "roleConstraints": ["*"],
        }),
        "credentials" => json!({
            "type": "application/astra-credential", "version": "1.1", "name": USER,
            "keyType": "passwordHash", "valid": "true",
            "keyStore": {"cleartext": "TmV0QXBwMTIz", "change": "ZmFsc2U="},
        }),
        other => panic!("say what the body of `{other}` is"),
    }
}
