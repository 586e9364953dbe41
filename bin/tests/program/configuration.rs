use crate::harness::Folder;

#[test]
fn example_is_a_good_configuration() {
    let folder = Folder::new();
    let example = folder.run(&["config", "example"]);
    assert_eq!((example.code, example.err.as_str()), (0, ""));
    let file = folder.write("claviger.toml", &example.out);
    let checked = folder.run(&["config", "check", "--config", &file]);
    assert_eq!((checked.code, checked.out.as_str()), (0, ""), "{}", checked.err);
    assert_eq!(checked.err, "the configuration is good\n");
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let folder = Folder::new();
    let realm = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["registry", "config", "2.8"], arguments].concat();
        let ended = folder.run_with(&arguments, variables, "");
        let line = ended.out.lines().find(|line| line.contains("realm:")).unwrap().to_owned();
        line.split('"').nth(1).unwrap().strip_suffix("/v2/auth").unwrap().to_owned()
    };
    assert_eq!(realm(&[], &[]), "http://127.0.0.1:8080");
    let file = folder.write("claviger.toml", "public_url = 'https://file.example.com'\n");
    assert_eq!(realm(&["--config", &file], &[]), "https://file.example.com");
    let variables =
        [("CLAVIGER_CONFIG", file.as_str()), ("CLAVIGER_PUBLIC_URL", "https://env.example.com")];
    assert_eq!(realm(&[], &variables[..1]), "https://file.example.com");
    assert_eq!(realm(&[], &variables), "https://env.example.com");
    let flag = ["--public-url", "https://flag.example.com"];
    assert_eq!(realm(&flag, &variables), "https://flag.example.com");
}

#[test]
fn unknown_keys_and_variables_are_refused_before_anything_is_made() {
    let folder = Folder::new();
    let file = folder.write("claviger.toml", "[quay]\nfeature_flying = true\n");
    for command in [&["serve"][..], &["config", "check"], &["admin", "rotate-key", "signing"]] {
        let refusal = folder.run(&[command, &["--config", &file]].concat()).refusal();
        assert!(refusal.contains("there is no setting `quay.feature_flying`"), "{refusal}");
        let refusal = folder.run_with(command, &[("CLAVIGER_FLYING", "1")], "").refusal();
        assert!(refusal.contains("CLAVIGER_FLYING"), "{refusal}");
    }
    let refusal = folder.run(&["config", "check", "--config", "missing.toml"]).refusal();
    assert!(refusal.contains("missing.toml"), "{refusal}");
    assert!(!folder.data().exists());
}
