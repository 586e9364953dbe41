//! People at a running program, and what they come with.

use std::path::Path;

use serde_json::json;

use super::program::{Program, run};
use crate::visitor::Visitor;

/// Somebody who talks to the program.
pub type Anybody<'a> = Visitor<'a, Program>;

/// The password of those whom [`make_user`] makes.
pub const PASSWORD: &str = "correct-horse-battery";

/// Makes a user, who is signed in afterwards.
pub async fn make_user<'a>(program: &'a Program, admin: &Anybody<'_>, name: &str) -> Anybody<'a> {
    let body = json!({"username": name, "email": format!("{name}@example.com")});
    let made = admin.post("/api/v1/superuser/users/", body).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let body = json!({"password": PASSWORD});
    let set = admin.put(&format!("/api/v1/superuser/users/{name}"), body).await;
    assert_eq!(set.status, 200, "{}", set.text());
    Visitor::sign_in(program, name, PASSWORD).await
}

/// Makes an app token; its id and its secret.
pub async fn make_app_token(somebody: &Anybody<'_>, title: &str) -> (String, String) {
    let made = somebody.post("/api/v1/user/apptoken", json!({"title": title})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let text = |key: &str| made.json()["token"][key].as_str().expect("a text").to_owned();
    (text("uuid"), text("token_code"))
}

/// The certificates that a registry trusts, of the store in `folder`.
pub fn certificates(folder: &Path) -> String {
    let printed = run(folder, &["registry", "cert"], "");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    String::from_utf8(printed.stdout).expect("PEM")
}
