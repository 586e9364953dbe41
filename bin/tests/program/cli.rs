use crate::harness::Folder;

#[test]
fn version_and_help_are_data() {
    let folder = Folder::new();
    let version = folder.run(&["--version"]);
    let expected = format!("claviger {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.out, version.err.as_str()), (0, expected, ""));
    let help = folder.run(&["--help"]);
    assert_eq!(help.code, 0);
    for command in ["serve", "admin", "registry", "config", "doctor"] {
        assert!(help.out.contains(&format!("\n  {command}")), "{}", help.out);
    }
    assert_eq!(folder.run(&["admin", "--help"]).code, 0);
}

#[test]
fn wrong_usage_ends_with_2_and_touches_nothing() {
    let folder = Folder::new();
    for arguments in [
        &[][..],
        &["fly"],
        &["backup"],
        &["serve", "--fly"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--database", "mysql://x"],
        &["admin", "create-user"],
        &["admin", "create-user", "Not A Name"],
        &["admin", "create-user", "ann", "--email", "nobody"],
        &["admin", "create-user", "ann", "--account", "7"],
        &["admin", "create-token", "--user", "ann"],
        &["admin", "create-token", "--user", "ann", "--kind", "golden"],
        &["admin", "create-token", "--user", "ann", "--kind", "api", "--name", "<b>"],
        &["admin", "create-token", "--user", "ann", "--kind", "api", "--scope", "repo:read"],
        &["admin", "create-token", "--user", "ann", "--kind", "authorization", "--scope", "bogus"],
        &["admin", "create-token", "--user", "ann", "--kind", "app", "--expires-in", "soon"],
        &["admin", "create-token", "--user", "ann", "--kind", "app", "--scope", "repo:read"],
        &["admin", "create-token", "--user", "ann", "--kind", "oauth", "--scope", "repo:read"],
        &["admin", "create-token", "--user", "ann", "--kind", "oauth", "--client", "x"],
        &["admin", "rotate-key", "both"],
        &["registry", "config", "1.0"],
    ] {
        let ended = folder.run(arguments);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.is_empty());
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn registry_is_configured_from_the_settings() {
    let folder = Folder::new();
    let ended = folder.run(&[
        "registry",
        "config",
        "2.8",
        "--public-url",
        "https://keys.example.com",
        "--registry-service",
        "reg.example.com",
    ]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    for line in [
        "realm: \"https://keys.example.com/v2/auth\"",
        "service: \"reg.example.com\"",
        "issuer: \"https://keys.example.com\"",
    ] {
        assert!(ended.out.contains(line), "{}", ended.out);
    }
    assert!(folder.run(&["registry", "config", "3"]).out.contains("ES256"));
    assert!(folder.run(&["registry", "config", "zot"]).out.starts_with('{'));
    assert!(!folder.data().exists());
}

#[test]
fn certificate_for_registries_is_printed_once_there_is_a_store() {
    let folder = Folder::new();
    let refusal = folder.run(&["registry", "cert"]).refusal();
    assert!(refusal.starts_with("there is no store in"), "{refusal}");
    folder.serve().stop();
    let authority = folder.run(&["registry", "cert"]);
    assert_eq!((authority.code, authority.err.as_str()), (0, ""));
    assert!(authority.out.starts_with("-----BEGIN CERTIFICATE-----\n"), "{}", authority.out);
    assert_ne!(folder.run(&["registry", "cert", "--leaf"]).out, authority.out);
}
