//! What keeps the guards up: `docs/guards.md` names tests that exist, and no secret is compared
//! but in constant time (V9).

use std::{collections::BTreeSet, path::Path};

use regex_lite::Regex;

const GUARDS: &str = include_str!("../../docs/guards.md");
const REVOCATION: &str = include_str!("../../docs/revocation.md");

fn sources(rooms: &[&str], see: &mut dyn FnMut(&Path, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    for room in rooms {
        visit(&root.join(room), see);
    }
}

fn visit(folder: &Path, see: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&path, &std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// Every function as `module::name`, for each part of the path that it lies in; and every module.
fn functions() -> BTreeSet<String> {
    let function = Regex::new(r"fn ([a-z0-9_]+)\(").expect("a pattern");
    let mut found = BTreeSet::new();
    sources(&["domain", "store", "service", "http", "bin", "tests"], &mut |path, text| {
        let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
        for pair in parts.windows(2) {
            found.insert(pair.join("::").replace(".rs", ""));
        }
        for name in function.captures_iter(text).filter_map(|names| names.get(1)) {
            for part in &parts {
                let module = part.strip_suffix(".rs").unwrap_or(part);
                found.insert(format!("{module}::{}", name.as_str()));
            }
        }
    });
    found
}

#[test]
fn every_test_that_the_pages_name_exists() {
    let (functions, named) = (functions(), Regex::new("`((?:[a-z0-9_]+::)+[a-z0-9_]+)`"));
    let named = named.expect("a pattern");
    for page in [GUARDS, REVOCATION] {
        let mut count = 0;
        for name in named.captures_iter(page).filter_map(|names| names.get(1)) {
            let parts: Vec<_> = name.as_str().split("::").collect();
            let [.., module, function] = parts.as_slice() else { continue };
            // a rule of the service, not a test
            if *module == "service" {
                continue;
            }
            let known = functions.contains(&format!("{module}::{function}"));
            assert!(known, "there is no `{}`", name.as_str());
            count += 1;
        }
        assert!(count > 10, "the page names {count} tests");
    }
    for number in [1, 2, 3, 6, 7, 8, 9, 15, 16] {
        let row = GUARDS.lines().any(|line| line.starts_with(&format!("| V{number} |")));
        assert!(row, "nothing guards V{number}");
    }
}

/// Comparisons of something whose name sounds secret, and what it is in truth.
const HARMLESS: &[(&str, &str)] = &[
    // numbers of generations
    ("minting.rs", "sealed.generation != hash.generation"),
    ("applications.rs", "seal.generation != hash.generation"),
    // whether there is a character in a new password that cannot be typed
    ("passwords.rs", "c == '\\0'"),
    // under which a secret is found: a hash, which nobody sends
    ("activity.rs", "noted.lookup == *lookup"),
    // the audit's chain, which is no secret
    ("audit.rs", "chained(linked, &values) != hash"),
    // what a code was given for, after it was found by its hash
    ("oauth_token.rs", "code."),
    // the stored hash of an application's secret, a moment ago and now
    ("oauth_token.rs", "now.secret != application.secret"),
    // the code of an error, the flag of a query
    ("errors.rs", "*known == code"),
    ("robots.rs", "query.flag(\"token\")"),
];

#[test]
fn no_secret_is_compared_but_in_constant_time() {
    let sounds = Regex::new(
        r"\b(secrets?|macs?|passwords?|csrf|selector|lookup|hash|challenge|verifier|code|cookie)\b",
    )
    .expect("a pattern");
    let compares = Regex::new(r" (==|!=) ").expect("a pattern");
    let word = Regex::new(r#""[^"]*"|//.*"#).expect("a pattern");
    let mut found = Vec::new();
    sources(
        &["domain/src", "store/src", "service/src", "http/src", "bin/src"],
        &mut |path, text| {
            let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
            if file == "tests.rs" {
                return;
            }
            let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
            for line in code.lines() {
                let bare = word.replace_all(line, "");
                let harmless = HARMLESS.iter().any(|(of, part)| *of == file && line.contains(part));
                if compares.is_match(&bare) && sounds.is_match(&bare) && !harmless {
                    found.push(format!("{}: {}", path.display(), line.trim()));
                }
            }
        },
    );
    assert!(found.is_empty(), "compare with `ConstantTimeEq`, or say why not: {found:#?}");
}

/// What is secret cannot be compared with `==` at all: its type has no `PartialEq`.
#[test]
fn secrets_have_no_equality() {
    let secrets =
        ["TokenSecret", "ParsedSecret", "Selector", "OpaqueSecret", "Password", "MasterKeys"];
    let mut seen = BTreeSet::new();
    sources(&["domain/src", "service/src"], &mut |_, text| {
        for name in secrets {
            let Some(at) = text.find(&format!("pub struct {name}")) else { continue };
            // attributes and documentation stand right before it
            let before = text[..at].rsplit("\n\n").next().unwrap_or_default();
            assert!(!before.contains("PartialEq"), "{name} can be compared");
            assert!(!text.contains(&format!("PartialEq for {name}")), "{name} can be compared");
            seen.insert(name);
        }
    });
    assert_eq!(seen.len(), secrets.len(), "only {seen:?} were found");
}
