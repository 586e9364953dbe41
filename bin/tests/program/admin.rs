use crate::harness::Folder;

fn token(folder: &Folder, arguments: &[&str]) -> String {
    folder.run(&[&["admin", "create-token"], arguments].concat()).line()
}

/// Rows of the audit: actor, door, act, object.
fn audit(folder: &Folder) -> Vec<(String, String, String, String)> {
    let database = rusqlite::Connection::open(folder.data().join("claviger.db")).unwrap();
    let select = "SELECT actor_name, door, act, object_name FROM audit ORDER BY seq";
    let mut statement = database.prepare(select).unwrap();
    let rows = statement.query_map([], |row| row.try_into()).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn users_are_made_beside_a_running_server() {
    let folder = Folder::new();
    let server = folder.serve();
    let create = ["admin", "create-user", "alice", "--email", "alice@example.com"];
    let id = folder.run_with(&create, &[], "correct-horse\n").line();
    assert_eq!(id.len(), 36, "{id}");
    assert!(server.admits("alice", "correct-horse"));
    let again = folder.run_with(&create, &[], "correct-horse\n").refusal();
    assert!(again.contains("`alice` is taken") || again.contains("alice"), "{again}");
    let weak = folder.run_with(&["admin", "create-user", "bob"], &[], "short\n").refusal();
    assert!(weak.starts_with("the password must be at least 8 characters"), "{weak}");
    let none = folder.run(&["admin", "create-user", "bob"]).refusal();
    assert!(none.starts_with("there is no password on standard input"), "{none}");

    let file = folder.write("password", "other-horse\n");
    let set = ["admin", "set-password", "alice", "--password-file", &file];
    assert_eq!(folder.run(&set).line(), id);
    assert!(server.admits("alice", "other-horse"));
    assert!(!server.admits("alice", "correct-horse"));
    let nobody = ["admin", "set-password", "nobody", "--password-file", &file];
    assert_eq!(folder.run(&nobody).refusal(), "no such user");
    let account = folder.run(&["admin", "create-account", "Second"]).line();
    let create = ["admin", "create-user", "carl", "--account", &account, "--password-file", &file];
    folder.run(&create).line();
    let rows = audit(&folder);
    let act = |act: &str, name: &str| {
        rows.iter().any(|row| row.1 == "program" && row.2 == act && row.3 == name)
    };
    assert!(act("user_create", "alice") && act("user_change_password", "alice"), "{rows:?}");
    assert!(act("create_account", "Second"), "{rows:?}");
    assert!(rows.iter().all(|row| row.1 != "program" || !row.0.is_empty()), "{rows:?}");
}

#[test]
fn commands_make_an_empty_store_ready_as_the_server_would() {
    let folder = Folder::new();
    let create = ["admin", "create-user", "root", "--superuser"];
    let ended =
        folder.run_with(&create, &[("CLAVIGER_ADMIN_PASSWORD", "first-horse")], "correct-horse\n");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let other = Folder::new();
    let ended = other.run_with(&create, &[], "correct-horse\n");
    assert!(ended.err.starts_with("superuser admin password "), "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 1);
    assert!(folder.serve().admits("admin", "first-horse"));
}

#[test]
fn token_is_printed_and_opens_the_registry_door() {
    let folder = Folder::new();
    let server = folder.serve();
    let app = token(&folder, &["--user", "admin", "--kind", "app", "--name", "laptop"]);
    assert!(app.starts_with("clva_") && server.admits("$app", &app), "{app}");
    let short = token(&folder, &["--user", "admin", "--kind", "app", "--expires-in", "1s"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(!server.admits("$app", &short));
    let refresh = token(&folder, &["--user", "admin", "--kind", "refresh"]);
    assert!(refresh.starts_with("clvf_"), "{refresh}");
    let session =
        token(&folder, &["--user", "admin", "--kind", "authorization", "--scope", "session"]);
    assert!(session.starts_with("clvz_") && server.admits("admin", &session), "{session}");
    let decides = ["--user", "admin", "--kind", "app", "--scope", "decide"];
    let decides = token(&folder, &decides);
    let asked = r#"{"subject":{"type":"user","id":"nobody"},"action":{"name":"pull"},
        "resource":{"type":"repository","id":"acme/api"}}"#;
    assert!(decides.starts_with("clva_"), "{decides}");
    assert_eq!(server.post("/access/v1/evaluation", &decides, asked).0, 200);
    let kind = |user: &str, kind: &str| {
        folder.run(&["admin", "create-token", "--user", user, "--kind", kind]).refusal()
    };
    assert_eq!(kind("nobody", "app"), "no such user");
    assert_eq!(kind("admin", "robot"), "no such robot");
    let oauth = ["admin", "create-token", "--user", "admin", "--kind", "oauth", "--client", "X"];
    let oauth = [&oauth[..], &["--scope", "repo:read repo:write"]].concat();
    assert_eq!(folder.run(&oauth).refusal(), "no such application");
}

#[test]
fn rotated_keys_leave_what_lives_alone() {
    let folder = Folder::new();
    let server = folder.serve();
    let make = ["--user", "admin", "--kind", "app"];
    let old = token(&folder, &make);
    let key_set = server.get("/.well-known/jwks.json", None).1;
    let authority = folder.run(&["registry", "cert"]).out;

    let rotated = folder.run(&["admin", "rotate-key", "master"]);
    assert_eq!((rotated.code, rotated.out.as_str()), (0, ""), "{}", rotated.err);
    assert!(rotated.err.starts_with("generation 2 of the master key is in use"), "{}", rotated.err);
    let new = token(&folder, &make);
    assert!(server.admits("$app", &old));
    crate::harness::wait_until("the server takes the new key over", || server.admits("$app", &new));

    assert_eq!(folder.run(&["admin", "rotate-key", "signing"]).code, 0);
    assert_eq!(folder.run(&["registry", "cert"]).out, authority);
    server.stop();
    let server = folder.serve();
    assert!(server.admits("$app", &old) && server.admits("$app", &new));
    assert_ne!(server.get("/.well-known/jwks.json", None).1, key_set);
    let renewed = folder.run(&["admin", "rotate-key", "signing", "--authority"]);
    assert_eq!(renewed.code, 0, "{}", renewed.err);
    assert_ne!(folder.run(&["registry", "cert"]).out, authority);

    let variable = std::fs::read_to_string(folder.data().join("master.key")).unwrap();
    let rotate = ["admin", "rotate-key", "master"];
    let refusal = folder.run_with(&rotate, &[("CLAVIGER_MASTER_KEY", &variable)], "").refusal();
    assert!(refusal.contains("put it into a file"), "{refusal}");
}
