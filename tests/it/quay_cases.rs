//! The exchanges recorded against Quay itself, group by group.

use claviger_tests::{
    app::TestApp,
    case::{
        exceptions::{DIFFERENT, OPEN},
        line, run, seed, settings,
    },
    scratch::Engine,
};

async fn group(name: &str, engine: Engine) {
    let lines = line::group(name);
    let settings = settings::of(&lines[0].config, &seed::read());
    let (app, secrets) = TestApp::seeded(engine, settings).await;
    run::group(&app, &app.clock, &lines, secrets).await;
}

macro_rules! groups {
    ($($test:ident = $name:literal;)+) => {
        const ALL: &[&str] = &[$($name),+];

        $(mod $test {
            use claviger_tests::scratch::Engine;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::group($name, Engine::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::group($name, Engine::Postgres).await;
            }
        })+
    };
}

groups! {
    apptoken = "apptoken";
    apptoken_bearer = "apptoken-bearer";
    apptoken_exp30d = "apptoken-exp30d";
    apptoken_exp5s = "apptoken-exp5s";
    apptoken_off = "apptoken-off";
    fresh_login = "fresh-login";
    readonly = "readonly";
    noanon = "noanon";
    perm_lists = "perm-lists";
    perm_user = "perm-user";
    perm_team = "perm-team";
    transitive = "transitive";
    nofull = "nofull";
    gravatar = "gravatar";
    v2auth = "v2auth";
    v2auth_nofull = "v2auth-nofull";
    v2auth_norobots = "v2auth-norobots";
    v2auth_createns = "v2auth-createns";
    v2auth_noext = "v2auth-noext";
    v2auth_enc = "v2auth-enc";
    nomail = "nomail";
    oauth = "oauth";
    session = "session";
    surroundings = "surroundings";
}

#[test]
fn no_group_is_left_out() {
    let mut groups: Vec<String> = line::all().into_iter().map(|line| line.group).collect();
    groups.dedup();
    assert_eq!(groups, ALL);
}

#[test]
fn what_is_excused_exists() {
    let ids: Vec<String> = line::all().into_iter().map(|line| line.id).collect();
    for (id, _) in DIFFERENT.iter().chain(OPEN) {
        assert!(ids.iter().any(|known| known == id), "{id}");
    }
}

/// What differs on purpose stands among the known quirks, in the row that begins so.
#[test]
fn what_is_excused_stands_in_the_page_of_its_door() {
    let rows = [
        ("v2auth-login-noservice", "registry", "an unknown or missing `service`"),
        ("noanon-v2auth-anon", "registry", "nobody is calling, where that is not allowed"),
        ("v2auth-badscope-0", "registry", "the actions `delete`, the scope `registry:catalog:*`"),
        ("v2auth-badscope-4", "registry", "the actions `delete`, the scope `registry:catalog:*`"),
        ("v2auth-app-username", "registry", "a user's own name with a token of his"),
        ("v2auth-proxyorg-member", "registry", "members of a proxy-cache organisation"),
        (
            "permuser-missing-put",
            "quay",
            "`PUT …/permissions/user/{u}`, `…/team/{t}` on a repository",
        ),
        (
            "permteam-missing-put",
            "quay",
            "`PUT …/permissions/user/{u}`, `…/team/{t}` on a repository",
        ),
    ];
    let excused: Vec<&str> = DIFFERENT.iter().chain(OPEN).map(|(id, _)| *id).collect();
    assert_eq!(excused, rows.map(|(id, ..)| id));
    for (id, door, row) in rows {
        let page = format!("{}/../docs/doors/{door}.md", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(page).expect("the page");
        let (_, quirks) = text.split_once("## Known quirks").expect("the quirks");
        assert!(quirks.contains(&format!("\n| {row}")), "{id} is not in the page: {row}");
    }
}
