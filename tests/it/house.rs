//! The house itself: who imports whom, and how long a file may be.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The direct dependencies of a package; those of its own tests do not count.
fn dependencies(metadata: &Value, package: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|p| p["name"] == package).expect("a package of ours");
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    dependencies
        .iter()
        .filter(|d| d["kind"] != "dev")
        .map(|d| d["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn each_room_imports_only_what_it_may() {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let of = |package: &str| dependencies(&metadata, package);

    let pure = ["claviger-domain"];
    let databases = ["rusqlite", "postgres", "tokio-postgres", "tokio-postgres-rustls"];
    let fronts = ["axum", "hyper", "hyper-util", "tower"];
    let rooms: [(&str, &[&str]); 5] = [
        ("claviger-domain", &[]),
        ("claviger-store", &pure),
        ("claviger-service", &["claviger-domain", "claviger-store"]),
        ("claviger-http", &["claviger-domain", "claviger-service"]),
        ("claviger", &["claviger-domain", "claviger-store", "claviger-service", "claviger-http"]),
    ];
    for (room, may) in rooms {
        let found = of(room);
        let ours = found.iter().filter(|name| name.starts_with("claviger"));
        for name in ours {
            assert!(may.contains(&name.as_str()), "{room} imports {name}");
        }
        for name in databases.iter().filter(|name| found.contains(**name)) {
            assert_eq!(room, "claviger-store", "{room} imports {name}");
        }
        for name in fronts.iter().filter(|name| found.contains(**name)) {
            assert_eq!(room, "claviger-http", "{room} imports {name}");
        }
    }
    for name in of("claviger-domain") {
        let impure = ["tokio", "serde", "serde_json", "http", "tracing"].contains(&name.as_str());
        assert!(!impure, "the hearth is pure, but imports {name}");
    }
}

#[test]
fn no_file_is_over_500_lines() {
    let mut long = Vec::new();
    for room in ["domain", "store", "service", "http", "bin", "tests", "bench"] {
        visit(&root().join(room), &mut |path, text| {
            let lines = text.lines().count();
            if lines > 500 {
                long.push(format!("{} ({lines})", path.display()));
            }
        });
    }
    assert!(long.is_empty(), "a noun is hiding in each of {long:?}");
}

/// Every act of `docs/revocation.md` names the tests that hold it, and there are such tests.
#[test]
fn every_act_that_takes_something_away_has_its_test() {
    let text = std::fs::read_to_string(root().join("docs/revocation.md")).expect("the page");
    let mut sources = Vec::new();
    visit(&root().join("tests/it"), &mut |path, text| {
        let module = path.with_extension("").display().to_string().replace('/', "::");
        sources.push((module.trim_end_matches("::mod").to_owned(), text.to_owned()));
    });
    let is_there = |test: &str| {
        let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
        sources.iter().any(|(path, text)| {
            path.ends_with(&format!("it::{module}")) && text.contains(&format!("fn {name}("))
        })
    };
    let groups = std::fs::read_to_string(root().join("tests/it/quay_cases.rs")).expect("groups");
    let (mut wrong, mut acts) = (Vec::new(), 0);
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [act, .., tested] = cells.as_slice() else { continue };
        if cells.len() != 4 || ["act", "---"].contains(act) {
            continue;
        }
        acts += 1;
        for part in tested.split(", ") {
            let name = part.split('`').nth(1).unwrap_or_default();
            let good = match part.split('`').nth(2) {
                Some(" cases") => groups.contains(&format!(" = \"{name}\";")),
                _ => is_there(name),
            };
            if !good {
                wrong.push(format!("{act}: {part}"));
            }
        }
    }
    assert!(acts > 25, "the tables are read");
    assert!(wrong.is_empty(), "no such tests:\n{}", wrong.join("\n"));
}

fn visit(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|e| e == "rs") {
            see(&path, &std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}
