//! Nothing secret leaks: a thief of the database cannot get in, and no log line tells a secret.

use std::{collections::BTreeSet, path::Path};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use claviger_domain::{
    TokenKind,
    secret::{ParsedSecret, Selector, mac_input},
};
use claviger_tests::{
    app::TestApp,
    case::{line, seed, settings},
    real::{
        free_port,
        program::{Program, run},
    },
    scratch::Engine,
    visitor::Visitor,
};
use http::{Method, Request};
use ring::{digest, hmac};
use serde_json::json;

const PASSWORD: &str = "canary-password-3f9c";

/// Every value in the database file.
fn loot(file: &Path) -> (BTreeSet<String>, BTreeSet<Vec<u8>>) {
    let connection = rusqlite::Connection::open(file).expect("the file");
    let list = |sql: &str| -> Vec<rusqlite::types::Value> {
        let mut statement = connection.prepare(sql).expect("a statement");
        let width = statement.column_count();
        let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect());
        let rows = rows.expect("rows").map(|row: rusqlite::Result<Vec<_>>| row.expect("a row"));
        rows.flatten().collect()
    };
    let (mut texts, mut bytes) = (BTreeSet::new(), BTreeSet::new());
    for table in list("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let rusqlite::types::Value::Text(table) = table else { unreachable!() };
        for value in list(&format!("SELECT * FROM \"{table}\"")) {
            match value {
                rusqlite::types::Value::Text(text) => drop(texts.insert(text)),
                rusqlite::types::Value::Blob(blob) => drop(bytes.insert(blob)),
                _ => {}
            }
        }
    }
    (texts, bytes)
}

/// MACs that somebody without the key could think of.
fn guessed_macs(selector: &Selector, kind: TokenKind, known: &[&[u8]]) -> Vec<[u8; 16]> {
    let input = mac_input(1, kind, 1, selector);
    let first = |bytes: &[u8]| bytes[..16].try_into().expect("16 bytes");
    let mut macs = vec![[0; 16], [0xff; 16], *selector.as_bytes(), first(&selector.lookup())];
    macs.push(first(digest::digest(&digest::SHA256, &input).as_ref()));
    for key in [&[0_u8; 32][..], b"claviger"].iter().chain(known) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        macs.push(first(hmac::sign(&key, &input).as_ref()));
    }
    macs
}

/// What a thief would try: everything as it is, in other spellings, and made into tokens and
/// cookies of the right form.
fn forgeries(file: &Path, prefix: claviger_domain::secret::Prefix) -> BTreeSet<String> {
    let (texts, bytes) = loot(file);
    let mut tries: BTreeSet<String> = texts.clone();
    let keys: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).filter(|b| b.len() <= 64).collect();
    for blob in &bytes {
        tries.insert(BASE64_STANDARD.encode(blob));
        tries.insert(BASE64_URL_SAFE_NO_PAD.encode(blob));
        tries.insert(blob.iter().map(|byte| format!("{byte:02x}")).collect());
        let mut cookie = vec![1];
        cookie.extend_from_slice(blob);
        cookie.resize(33, 0);
        tries.insert(BASE64_URL_SAFE_NO_PAD.encode(cookie));
        for selector in blob.chunks_exact(16).filter_map(Selector::from_slice) {
            for kind in [TokenKind::App, TokenKind::Oauth, TokenKind::Robot, TokenKind::Refresh] {
                for mac in guessed_macs(&selector, kind, &keys[..keys.len().min(8)]) {
                    let selector = Selector::from_slice(selector.as_bytes()).expect("16 bytes");
                    let mac = mac.into();
                    let secret =
                        ParsedSecret { prefix, kind, format: 1, generation: 1, selector, mac };
                    tries.insert(secret.print().expose().to_owned());
                }
            }
        }
    }
    tries
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thief_of_the_database_cannot_get_in() {
    let settings = settings::of(&line::group("apptoken")[0].config, &seed::read());
    let prefix = settings.tokens.prefix;
    let (app, secrets) = TestApp::seeded(Engine::Sqlite, settings).await;
    let victim = Visitor::sign_in(&app, "freshuser", "password").await;
    let made = victim.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;
    let secret = made.json()["token"]["token_code"].as_str().expect("a token").to_owned();
    let (cookie, _) = victim.session().expect("a session");
    let (cookie_name, cookie_value) = cookie.split_once('=').expect("a cookie");

    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let login = |user: &str, password: &str| {
        ("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    };
    let gets_in = async |path: &str, (name, value): (&str, String)| {
        let request = Request::builder().method(Method::GET).uri(path).header(name, value);
        let request = request.header("host", "localhost:5000").body(Vec::new());
        // what is no header at all cannot be sent
        let Ok(request) = request else { return false };
        claviger_tests::server::Server::send(&app, request).await.status.is_success()
    };
    let api = "/api/v1/user/apptoken";
    let registry = "/v2/auth?service=localhost:5000";

    // the owner gets in, by each of these ways
    let oauth = secrets.ours("tfreshuadminxxxxxxxxSnimdauhserf99999999");
    assert!(gets_in(api, bearer(&oauth)).await);
    assert!(gets_in(api, ("cookie", cookie.to_owned())).await);
    assert!(gets_in(registry, login("$app", &secret)).await);
    assert!(!loot(&app.folder().join("claviger.db")).0.contains(cookie_value));

    let tries = forgeries(&app.folder().join("claviger.db"), prefix);
    assert!(tries.len() > 5_000, "{}", tries.len());
    for forged in &tries {
        assert!(!gets_in(api, bearer(forged)).await, "bearer {forged}");
        assert!(!gets_in(api, ("cookie", format!("{cookie_name}={forged}"))).await, "{forged}");
        for user in ["$app", "$oauthtoken", "devtable+dtrobot"] {
            assert!(!gets_in(registry, login(user, forged)).await, "{user} {forged}");
        }
    }
    // the stored hash is no password
    let (texts, _) = loot(&app.folder().join("claviger.db"));
    let hash = texts.iter().find(|text| text.starts_with("$argon2id$")).expect("a hash");
    assert!(!gets_in(registry, login("freshuser", hash)).await);
    assert!(Visitor::try_sign_in(&app, "public", hash).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_line_or_in_plain_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let listen = format!("127.0.0.1:{}", free_port());
    let serve = ["--listen", &listen, "--log-level", "trace", "--log-format", "json"];
    let variables = [("CLAVIGER_ADMIN_PASSWORD", PASSWORD)];
    let program = Program::serve_with(folder, &serve, &variables);
    let admin = Visitor::sign_in(&program, "admin", PASSWORD).await;
    let (cookie, csrf) = admin.session().expect("a session");
    let cookie = cookie.split_once('=').expect("a cookie").1;
    let mut canaries = vec![PASSWORD.to_owned(), cookie.to_owned(), csrf.to_owned()];

    // make what is secret
    let text = |answer: &claviger_tests::answer::Answer, path: &str| {
        let body = answer.json();
        let value = body.pointer(path).and_then(|value| value.as_str());
        value.unwrap_or_else(|| panic!("no {path}: {} {body}", answer.status)).to_owned()
    };
    let token = admin.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;
    let (token, id) = (text(&token, "/token/token_code"), text(&token, "/token/uuid"));
    let robot = admin.put("/api/v1/user/robots/ci", json!({"description": "words"})).await;
    let robot = text(&robot, "/token");
    admin.post("/api/v1/organization/", json!({"name": "acme", "email": "a@example.com"})).await;
    let body = json!({"name": "tool", "redirect_uri": "http://app.example/cb"});
    let application = admin.post("/api/v1/organization/acme/applications", body).await;
    let (client, secret) = (text(&application, "/client_id"), text(&application, "/client_secret"));
    let consent = |kind: &str| {
        format!(
            "response_type={kind}&client_id={client}&scope=user:admin&\
             redirect_uri=http%3A%2F%2Fapp.example%2Fcb"
        )
    };
    let consented = admin.form("/oauth/authorizeapp", &consent("token")).await;
    let place = "headers.location#access_token";
    let oauth = claviger_tests::case::template::at(&consented, place).expect("a token");
    let consented = admin.form("/oauth/authorizeapp", &consent("code")).await;
    let place = "headers.location?code";
    let code = claviger_tests::case::template::at(&consented, place).expect("a code");
    let input = format!("{PASSWORD}-2\n");
    let made = run(folder, &["admin", "create-user", "anna"], &input);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let printed = run(folder, &["admin", "create-token", "--user", "anna", "--kind", "app"], "");
    let printed = String::from_utf8(printed.stdout).expect("a token").trim().to_owned();

    // use it, rightly and wrongly, and put it where it should not be
    for (user, password) in [
        ("$app", &token),
        ("$app", &oauth),
        ("admin", &token),
        ("admin+ci", &robot),
        ("$oauthtoken", &oauth),
        ("admin+ci", &token),
        (token.as_str(), &robot),
        ("admin", &PASSWORD.to_owned()),
        ("anna", &printed),
    ] {
        Visitor::basic(&program, user, password).get("/v2/auth?service=registry").await;
    }
    let form = format!(
        "grant_type=password&service=registry&client_id=x&username=$app&password={token}&access_type=offline"
    );
    let refresh = Visitor::anonymous(&program).form("/v2/auth", &form).await;
    let refresh = text(&refresh, "/refresh_token");
    let form =
        format!("grant_type=refresh_token&service=registry&client_id=x&refresh_token={refresh}");
    let exchanged = Visitor::anonymous(&program).form("/v2/auth", &form).await;
    let jwt = text(&exchanged, "/access_token");
    canaries.extend([token, robot, secret, oauth, code, printed, refresh, jwt]);
    for canary in &canaries {
        Visitor::bearer(&program, canary).get("/api/v1/user/").await;
        for path in [
            format!("/api/v1/user/apptoken/{canary}"),
            format!("/api/v1/{canary}"),
            format!(
                "/v2/auth?service=registry&account={canary}&access_token={canary}&scope={canary}"
            ),
            format!("/{canary}"),
        ] {
            admin.get(&path).await;
        }
        admin.post("/api/v1/signin/verify", json!({"password": canary})).await;
        admin.post("/api/v1/user/apptoken", json!({"title": 5, canary: canary})).await;
        admin
            .put(&format!("/api/v1/organization/acme/team/{canary}"), json!({"role": canary}))
            .await;
        admin
            .form(
                "/oauth/access_token",
                &format!("grant_type={canary}&code={canary}&client_secret={canary}"),
            )
            .await;
    }
    admin.delete(&format!("/api/v1/user/apptoken/{id}")).await;

    let said = program.said();
    assert!(said.len() > 100, "the log is on: {} lines", said.len());
    assert!(program.stop().success());
    for canary in &canaries {
        let told: Vec<&String> = said.iter().filter(|line| line.contains(canary)).collect();
        assert!(told.is_empty(), "{canary} was told:\n{told:?}");
    }
    for entry in std::fs::read_dir(folder.join("claviger-data")).expect("the data folder") {
        let path = entry.expect("an entry").path();
        let kept = std::fs::read(&path).expect("a file");
        for canary in &canaries {
            let found = kept.windows(canary.len()).any(|part| part == canary.as_bytes());
            assert!(!found, "{canary} is kept in {}", path.display());
        }
    }
}

#[test]
fn the_store_without_its_key_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let listen = format!("127.0.0.1:{}", free_port());
    drop(Program::serve(folder, &["--listen", &listen]));
    let key = folder.join("claviger-data/master.key");
    let kept = std::fs::read(&key).expect("the master key");
    let before = loot(&folder.join("claviger-data/claviger.db"));
    std::fs::remove_file(&key).expect("it is taken away");
    let refused = |what: &str| {
        let output = run(folder, &["serve", "--listen", &listen], "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
        assert!(said.contains("key"), "{said}");
    };
    refused("without a key");
    assert!(!key.exists(), "no other key was drawn");
    let text = String::from_utf8(kept.clone()).expect("text");
    let wrong: String =
        text.chars().map(|c| if c.is_ascii_lowercase() { 'a' } else { c }).collect();
    std::fs::write(&key, wrong).expect("another key");
    refused("with another key");
    assert_eq!(loot(&folder.join("claviger-data/claviger.db")), before, "nothing was changed");
    std::fs::write(&key, kept).expect("the right key");
    drop(Program::serve(folder, &["--listen", &listen]));
}
