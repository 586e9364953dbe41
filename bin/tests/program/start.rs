use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::Folder;

/// All that the database says, table by table, and which files lie beside it.
fn contents(folder: &Path) -> Vec<String> {
    let database = rusqlite::Connection::open(folder.join("claviger.db")).unwrap();
    let texts = |select: &str| -> Vec<String> {
        let mut statement = database.prepare(select).unwrap();
        let rows = statement.query_map([], |row| {
            let values = (0..row.as_ref().column_count()).map(|at| row.get_ref(at));
            values.map(|value| Ok(format!("{:?}", value?))).collect::<Result<String, _>>()
        });
        rows.unwrap().map(Result::unwrap).collect()
    };
    let select = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables: Vec<String> = {
        let mut statement = database.prepare(select).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut all: Vec<_> =
        tables.iter().flat_map(|t| texts(&format!("SELECT * FROM {t}"))).collect();
    let keys = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let keys = keys.filter(|name| !name.to_string_lossy().starts_with("claviger.db"));
    all.extend(keys.map(|name| name.into_string().unwrap()));
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn first_start_says_who_is_superuser_and_where_it_listens() {
    let folder = Folder::new();
    let server = folder.serve();
    let said = server.said();
    let password = said[0].strip_prefix("superuser admin password ").unwrap();
    assert_eq!(said[1], format!("listening on {}", server.url()));
    assert_eq!(server.get("/readyz", None).0, 200);
    assert!(server.admits("admin", password));
    assert!(!server.admits("admin", "wrong-password"));
    assert_eq!((mode(&folder.data()), mode(&folder.data().join("master.key"))), (0o700, 0o600));
    server.stop();

    let server = folder.serve();
    assert!(server.said().iter().all(|line| !line.starts_with("superuser")));
    assert!(server.admits("admin", password));
    server.signal("-INT");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn first_superuser_is_set_by_the_environment() {
    let folder = Folder::new();
    let variables =
        [("CLAVIGER_ADMIN_USERNAME", "root"), ("CLAVIGER_ADMIN_PASSWORD", "correct-horse")];
    let server = folder.serve_with(&[], &variables);
    assert_eq!(server.said(), [format!("listening on {}", server.url())]);
    assert!(server.admits("root", "correct-horse"));
    server.stop();
    let server = folder.serve_with(&[], &[("CLAVIGER_ADMIN_PASSWORD", "other-horse")]);
    assert!(server.admits("root", "correct-horse"));
    assert!(!server.admits("admin", "other-horse"));
}

#[test]
fn listening_line_stands_alone_among_json_lines() {
    let folder = Folder::new();
    let server = folder.serve_with(&["--log-format", "json"], &[]);
    server.get("/healthz", None);
    let url = server.url().to_owned();
    server.signal("-TERM");
    crate::harness::wait_until("the request is logged", || {
        server.said().iter().any(|line| line.contains("/healthz"))
    });
    for line in server.said() {
        let plain = line.starts_with("superuser ") || line == format!("listening on {url}");
        assert!(plain || serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }
}

#[test]
fn second_server_on_the_folder_is_refused() {
    let folder = Folder::new();
    let server = folder.serve();
    let refusal = folder.run(&["serve", "--listen", "127.0.0.1:0"]).refusal();
    assert!(refusal.starts_with("another `claviger serve` runs on"), "{refusal}");
    let other = Folder::new();
    let refusal = other.run(&["serve", "--listen", server.address()]).refusal();
    assert!(refusal.contains("cannot be used"), "{refusal}");
    assert!(!other.data().exists());
}

#[test]
fn server_that_starts_before_the_killed_one_is_gone_waits_for_it() {
    let folder = Folder::new();
    let server = folder.serve();
    let address = server.address().to_owned();
    let (next, _) = std::thread::scope(|scope| {
        let next = scope.spawn(|| folder.serve_with(&["--listen", &address], &[]));
        std::thread::sleep(std::time::Duration::from_millis(200));
        server.signal("-KILL");
        (next.join().unwrap(), server.wait())
    });
    assert_eq!(next.address(), address);
}

#[test]
fn killed_server_comes_back_with_everything() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = ["admin", "create-token", "--user", "admin", "--kind", "app"];
    let token = folder.run(&token).line();
    assert!(server.admits("$app", &token));
    server.signal("-KILL");
    assert_eq!(server.wait(), None);
    assert!(folder.serve().admits("$app", &token));
}

#[test]
fn stopping_server_writes_last_uses_and_takes_leave() {
    let folder = Folder::new();
    let server = folder.serve();
    let token = ["admin", "create-token", "--user", "admin", "--kind", "app"];
    let token = folder.run(&token).line();
    assert!(server.admits("$app", &token));
    let count = |select: &str| -> i64 {
        let database = rusqlite::Connection::open(folder.data().join("claviger.db")).unwrap();
        database.query_row(select, [], |row| row.get(0)).unwrap()
    };
    let servers = "SELECT count(*) FROM replica";
    assert_eq!(count(servers), 1);
    server.stop();
    assert_eq!(count("SELECT count(*) FROM token_use"), 1);
    assert_eq!(count(servers), 0);
}

#[test]
fn master_key_is_made_for_an_empty_store_alone_and_a_wrong_one_changes_nothing() {
    let folder = Folder::new();
    folder.serve().stop();
    let key = folder.data().join("master.key");
    let right = fs::read_to_string(&key).unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0"];

    fs::remove_file(&key).unwrap();
    let refusal = folder.run(&serve).refusal();
    assert!(refusal.starts_with("this store has a master key"), "{refusal}");
    assert!(!key.exists());
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for (variables, expected) in [
        (("CLAVIGER_MASTER_KEY", other), "is not that of this store"),
        (
            ("CLAVIGER_MASTER_KEY", "rubbish"),
            "the master key in CLAVIGER_MASTER_KEY cannot be used",
        ),
        (("CLAVIGER_MASTER_KEY_FILE", "no-file"), "no-file is not there: put it back"),
    ] {
        let before = contents(&folder.data());
        let refusal = folder.run_with(&serve, &[variables], "").refusal();
        assert!(refusal.contains(expected), "{refusal}");
        assert!(!refusal.contains(other) && !refusal.contains("rubbish"));
        assert!(contents(&folder.data()) == before, "{expected}");
    }
    let moved = folder.write("key", &right);
    folder.serve_with(&["--master-key-file", &moved], &[]).stop();
    let made = Folder::new();
    let elsewhere = made.data().with_extension("key");
    made.serve_with(&["--master-key-file", &elsewhere.display().to_string()], &[]).stop();
    assert!(elsewhere.exists() && !made.data().join("master.key").exists());
    let bare = right.trim_end().strip_prefix("1 ").unwrap();
    folder.serve_with(&[], &[("CLAVIGER_MASTER_KEY", bare)]).stop();
}

#[test]
fn database_of_a_newer_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    folder.serve().stop();
    let path = folder.data().join("claviger.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("INSERT INTO migration (number, name) VALUES (9999, 'later')", []).unwrap();
    drop(database);
    let before = contents(&folder.data());
    let refusal = folder.run(&["serve", "--listen", "127.0.0.1:0"]).refusal();
    assert!(refusal.contains("the database has version 9999"), "{refusal}");
    assert!(contents(&folder.data()) == before);
    let doctor = folder.run(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(doctor.out.contains("problem  the database has version 9999"), "{}", doctor.out);
}

#[test]
fn doctor_finds_what_an_operator_should_mend() {
    let folder = Folder::new();
    let before = folder.run(&["doctor"]);
    assert_eq!(before.code, 0, "{}", before.err);
    assert!(!folder.data().exists(), "it changes nothing");
    folder.serve().stop();
    let fresh = folder.run(&["doctor"]);
    assert_eq!((fresh.code, fresh.err.as_str()), (0, ""), "{}", fresh.out);
    assert!(fresh.out.contains("warning  the master key lies beside the database"));
    assert!(fresh.out.contains("warning  the password of admin is still"));
    folder.run_with(&["admin", "set-password", "admin"], &[], "correct-horse\n").line();
    assert!(!folder.run(&["doctor"]).out.contains("password"));
    let exposed = folder.run(&["doctor", "--listen", "0.0.0.0:8080"]);
    assert_eq!((exposed.code, exposed.err.as_str()), (1, "claviger: there is a problem\n"));
    let key = folder.data().join("master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(folder.run(&["doctor"]).out.contains("warning  others may read the master key"));
    fs::write(&key, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let wrong = folder.run(&["doctor"]);
    assert!(wrong.out.contains("does not hold this store's master key"), "{}", wrong.out);
    assert_eq!(wrong.code, 1);
}
