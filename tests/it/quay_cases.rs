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
