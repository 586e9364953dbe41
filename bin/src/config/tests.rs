use std::{fs, time::Duration};

use claviger_service::settings::Reveal;

use super::*;

fn variables(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_file(text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.toml");
    fs::write(&path, text).unwrap();
    Config::merge(Some(&path), BTreeMap::new(), Vec::new())
        .map_err(|e| e.to_string().replace(&path.display().to_string(), "FILE"))
}

fn from_variables(given: &[(&str, &str)]) -> Result<Config, String> {
    Config::merge(None, variables(given), Vec::new()).map_err(|e| e.to_string())
}

/// Why it is refused.
fn problem(result: Result<Config, String>) -> String {
    result.err().unwrap_or_else(|| "accepted".to_owned())
}

#[test]
fn example_parses_to_the_defaults() {
    let mut example = from_file(&Config::example()).unwrap();
    let mut default = Config::default();
    assert_eq!(example.settings, default.settings);
    let shown = |config: &mut Config| -> Vec<_> {
        keys::keys(config).iter().map(|key| (key.name, key.value.show())).collect()
    };
    assert_eq!(shown(&mut example), shown(&mut default));
    assert_eq!(example.names().len(), Config::example().matches(" = ").count());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.toml");
    fs::write(&path, "listen = '127.0.0.1:1'\ndata_dir = 'file'\npublic_url = 'http://file'\n")
        .unwrap();
    let environment = variables(&[
        ("CLAVIGER_CONFIG", path.to_str().unwrap()),
        ("CLAVIGER_LISTEN", "127.0.0.1:2"),
        ("CLAVIGER_DATA_DIR", "environment"),
    ]);
    let flag = Flag { name: "--listen", key: "listen", value: "127.0.0.1:3".to_owned() };
    let config = Config::merge(None, environment, vec![flag]).map_err(|e| e.to_string()).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.data_dir, Path::new("environment"));
    assert_eq!(config.public_url.unwrap().to_string(), "http://file");
}

#[test]
fn unknown_keys_are_refused() {
    for (text, key) in [
        ("listne = 'x'", "listne"),
        ("[http]\nbody = 1", "http.body"),
        ("[htpp]\nbody_limit = 1", "htpp"),
        ("[quay]\nFEATURE_MAILING = true", "quay.FEATURE_MAILING"),
    ] {
        let expected =
            format!("FILE: there is no setting `{key}`; `claviger config example` shows all");
        assert_eq!(problem(from_file(text)), expected);
    }
    assert_eq!(problem(from_file("http = 3")), "FILE: `http` must be a section");
    assert!(problem(from_file("a = 1\na = 2")).starts_with("FILE, line 2: duplicate key"));
}

#[test]
fn unknown_variables_are_refused() {
    for name in ["CLAVIGER_LISTNE", "CLAVIGER_HTTP_BODY", "CLAVIGER_FORWARD_ROUTE"] {
        let problem = problem(from_variables(&[(name, "1")]));
        assert!(problem.starts_with(&format!("the environment variable {name} is no setting")));
    }
}

#[test]
fn errors_say_where_the_value_was_set() {
    assert_eq!(
        problem(from_file("[quay]\nsession_timeout = '3 days'")),
        "FILE: `quay.session_timeout` must be a duration such as `30s`, `10m`, `12h`, `31d` or `4w`"
    );
    assert_eq!(
        problem(from_variables(&[("CLAVIGER_QUAY_FEATURE_MAILING", "yes")])),
        "the environment variable CLAVIGER_QUAY_FEATURE_MAILING must be true or false"
    );
    let flag = Flag { name: "--listen", key: "listen", value: "8080".to_owned() };
    let error = Config::merge(None, BTreeMap::new(), vec![flag]).err().unwrap();
    assert_eq!(error.to_string(), "--listen must be an address such as `127.0.0.1:8080`");
    assert!(error.usage);
}

#[test]
fn lists_come_with_commas_and_empty_is_none() {
    let config = from_variables(&[
        ("CLAVIGER_QUAY_SUPER_USERS", "ann, bob"),
        ("CLAVIGER_FORWARD_TRUSTED_PEERS", ""),
        ("CLAVIGER_HTTP_TRUSTED_PROXIES", "10.0.0.0/8,::1"),
        ("CLAVIGER_REGISTRY_SERVICE", "one,two"),
        ("CLAVIGER_PUBLIC_URL", ""),
    ])
    .unwrap();
    let settings = config.settings;
    assert!(settings.quay.names_superuser("ann") && settings.quay.names_superuser("bob"));
    assert_eq!(settings.forward.trusted_peers, []);
    assert_eq!(settings.http.trusted_proxies.len(), 2);
    assert_eq!(settings.registry.services, ["one", "two"]);
    assert_eq!(config.public_url, None);
    let config = from_file("[registry]\nservice = ['a', 'b']").unwrap();
    assert_eq!(config.settings.registry.services, ["a", "b"]);
    let config = from_file("[registry]\nservice = 'localhost:5000'").unwrap();
    assert_eq!(config.settings.registry.services, ["localhost:5000"]);
    assert_eq!(
        problem(from_variables(&[("CLAVIGER_QUAY_SUPER_USERS", "Ann")])),
        "the environment variable CLAVIGER_QUAY_SUPER_USERS has `Ann`, which is not a name of a user"
    );
}

#[test]
fn durations_and_sizes_have_units() {
    let config = from_file(
        "[quay]\napp_specific_token_expiration = '5s'\nexpired_app_specific_token_gc = 'none'\n\
         [tokens]\nretention = '4w'\nreveal = 'fresh'\n[http]\nbody_limit = '2KiB'\n\
         [cache]\nmemory = 1000",
    )
    .unwrap();
    let settings = config.settings;
    assert_eq!(settings.quay.app_specific_token_expiration, Some(Duration::from_secs(5)));
    assert_eq!(settings.quay.expired_app_specific_token_gc, None);
    assert_eq!(settings.tokens.retention, Duration::from_secs(4 * 7 * 86_400));
    assert_eq!(settings.tokens.reveal, Reveal::Fresh);
    assert_eq!((settings.http.body_limit, settings.cache.memory_bytes), (2048, 1000));
    for bad in
        ["", "5", "s", "-5s", "+5s", "1.5h", "5 s", "5sm", "5ss", "5y", "99999999999999999999s"]
    {
        assert!(parse_duration(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_duration("5201w"), Err("must be at most 5200w".to_owned()));
    for bad in ["'1 MB'", "0", "-1", "'99999999999GiB'", "'KiB'", "true"] {
        assert!(from_file(&format!("[http]\nbody_limit = {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn scope_timeouts_have_a_default_and_a_maximum() {
    let config = from_file("[openshift]\nscope_timeouts = 'Session=86400|2d, *=10m'").unwrap();
    let timeouts = config.settings.openshift.scope_timeouts.0;
    let shown: Vec<_> =
        timeouts.iter().map(|t| (t.scope.as_str(), t.default.as_secs(), t.max.as_secs())).collect();
    assert_eq!(shown, [("session", 86_400, 172_800), ("*", 600, 600)]);
    for bad in ["session", "session=", "=1d", "session=2d|1d", "a=1d,a=1d", "a=1d|2d|3d"] {
        assert!(from_file(&format!("[openshift]\nscope_timeouts = '{bad}'")).is_err(), "{bad}");
    }
}

#[test]
fn forward_routes_name_what_they_need() {
    let config = from_file(
        "[[forward.route]]\npath = '/v2/{repository*}/manifests/{reference}'\nmethods = ['GET']\n\
         repository = '{repository}'\naction = 'pull'\n\
         [[forward.route]]\npath = '/**'\nauthenticated = true",
    )
    .unwrap();
    assert!(!config.settings.forward.routes.is_empty());
    for bad in [
        "path = 'x'\npublic = true",
        "path = '/x'",
        "path = '/x'\npublic = true\nauthenticated = true",
        "path = '/{a}'\nrepository = '{a}'\naction = 'pull'",
        "path = '/{a}'\nrepository = '{b}'\naction = 'pull'\nmethods = ['GET']",
        "path = '/{a}'\nrepository = '{a}'\naction = 'look'\nmethods = ['GET']",
        "path = '/{a'\npublic = true",
        "path = '/a'\npublic = true\nmethods = ['get']",
        "path = '/a'\npublik = true",
        "path = '/a'\npublic = true\n[[forward.route]]\npath = '/a'\npublic = true",
    ] {
        assert!(from_file(&format!("[[forward.route]]\n{bad}")).is_err(), "{bad}");
    }
    let never = "[[forward.route]]\npath = '/**'\npublic = true\n\
                 [[forward.route]]\npath = '/admin'\nauthenticated = true";
    assert_eq!(
        problem(from_file(never)),
        "FILE: `forward.route` has the path `/admin`, which can never match: `/**` stands before it"
    );
}

#[test]
fn preset_stands_behind_the_routes_of_the_file() {
    let preset = from_variables(&[("CLAVIGER_FORWARD_PRESET", "registry")]).unwrap();
    let printed = from_file(super::REGISTRY_ROUTES).unwrap();
    assert_eq!(preset.settings, printed.settings);
    let own = "[forward]\npreset = 'registry'\n[[forward.route]]\npath = '/v2/'\npublic = true";
    assert_ne!(from_file(own).unwrap().settings, preset.settings);
    assert!(from_variables(&[("CLAVIGER_FORWARD_PRESET", "blog")]).is_err());
}

#[test]
fn secret_of_proxies_is_long_and_visible() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let complete = || {
        let path = path.display().to_string();
        let mut config = from_variables(&[("CLAVIGER_FORWARD_SECRET_FILE", &path)]).unwrap();
        config.complete("http://127.0.0.1:1").map_err(|e| e.to_string())?;
        Ok::<_, String>(config.settings.forward.secret.unwrap())
    };
    assert!(complete().unwrap_err().contains("cannot be read"));
    for bad in ["", "short\n", "a secret with blanks in it"] {
        fs::write(&path, bad).unwrap();
        assert!(complete().unwrap_err().contains("20 visible characters"), "{bad}");
    }
    fs::write(&path, "0123456789abcdefghij\n").unwrap();
    assert!(complete().unwrap().is(b"0123456789abcdefghij"));
    assert!(!complete().unwrap().is(b"0123456789abcdefghij\n"));
}

#[test]
fn public_url_elsewhere_means_a_proxy_on_this_machine() {
    for (listen, url, behind) in [
        ("127.0.0.1:1", "", false),
        ("127.0.0.1:1", "http://localhost:8080", false),
        ("127.0.0.1:1", "http://keys.localhost", false),
        ("127.0.0.1:1", "http://127.0.0.1:8080", false),
        ("[::1]:1", "http://[::1]:8080", false),
        ("127.0.0.1:1", "https://keys.example.com", true),
        ("127.0.0.1:1", "https://localhost.example.com:8443", true),
        ("0.0.0.0:1", "https://keys.example.com", false),
    ] {
        let mut config =
            from_variables(&[("CLAVIGER_LISTEN", listen), ("CLAVIGER_PUBLIC_URL", url)]).unwrap();
        config.complete("http://127.0.0.1:1").unwrap();
        assert_eq!(config.settings.forward.behind_local_proxy, behind, "{listen} {url}");
    }
}

#[test]
fn public_url_is_an_origin() {
    let url = |text: &str| text.parse::<PublicUrl>().map(|url| url.to_string());
    assert_eq!(url("https://Keys.Example.com/"), Ok("https://keys.example.com".to_owned()));
    assert_eq!(url("http://[::1]:8080"), Ok("http://[::1]:8080".to_owned()));
    for bad in [
        "keys",
        "ftp://a",
        "http://",
        "http://:80",
        "http://a:b",
        "http://a/b",
        "http://a@b",
        "https://a?b",
    ] {
        assert!(url(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_belongs_together_must_be_together() {
    assert_eq!(
        problem(from_variables(&[("CLAVIGER_TLS_CERT", "a.pem")])),
        "the environment variable CLAVIGER_TLS_CERT needs `tls.key` beside it"
    );
    assert_eq!(
        problem(from_file("[registry]\nservice = []")),
        "FILE: `registry.service` needs at least one name"
    );
    assert!(from_file("[tokens]\nprefix = 'a-b'").is_err());
}

#[test]
fn a_missing_file_is_refused() {
    let error = Config::merge(Some(Path::new("/no/such")), BTreeMap::new(), Vec::new()).err();
    let sentence = error.unwrap().to_string();
    assert!(sentence.starts_with("cannot read the configuration file /no/such: "), "{sentence}");
}
