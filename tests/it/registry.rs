//! The registry door, beyond what was recorded: forms, refresh tokens, what `*` means, what changes
//! nothing.

use claviger_service::settings::RegistryState;
use claviger_store::repositories;
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{jwt, secrets::Secrets, seed, settings},
    scratch::Engine,
    server::Server,
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

/// freshuser's and reader's app tokens, and tokens of others, as the seed has them.
const FRESH: &str = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                     GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG";
const FRESH_ID: &str = "00000000-0000-4000-8000-000000000f01";
const READER: &str = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT\
                      UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU";
const DEVTABLE_READS: &str = "tdevrreadxxxxxxxxxxxSdaerrved99999999999";
const ROBOT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn seeded() -> (TestApp, Secrets) {
    seeded_with(|_| ()).await
}

async fn seeded_with(change: impl FnOnce(&mut claviger_service::Settings)) -> (TestApp, Secrets) {
    let mut settings = settings::of(&Map::new(), &seed::read());
    change(&mut settings);
    TestApp::seeded(Engine::Sqlite, settings).await
}

fn as_app<'a>(app: &'a TestApp, secrets: &Secrets, recorded: &str) -> Visitor<'a, TestApp> {
    Visitor::basic(app, "$app", &secrets.ours(recorded))
}

fn claims(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["token"], json["access_token"]);
    jwt::claims(json["token"].as_str().expect("a token"))
}

/// What may be done, as `name:action,action`.
fn access(answer: &Answer) -> Vec<String> {
    let claims = claims(answer);
    let access = claims["access"].as_array().expect("a list");
    let words = |entry: &Value| {
        let actions = entry["actions"].as_array().expect("actions").iter();
        let actions: Vec<_> = actions.map(|word| word.as_str().expect("a word")).collect();
        format!("{}:{}", entry["name"].as_str().expect("a name"), actions.join(","))
    };
    access.iter().map(words).collect()
}

async fn get(visitor: &Visitor<'_, TestApp>, query: &str) -> Answer {
    visitor.get(&format!("/v2/auth?service=localhost:5000&{query}")).await
}

async fn post(app: &TestApp, form: &str) -> Answer {
    Visitor::anonymous(app).form("/v2/auth", &format!("service=localhost:5000&{form}")).await
}

fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["refresh_token"].as_str().expect("a refresh token").to_owned()
}

async fn exists(app: &TestApp, name: &'static str) -> bool {
    let found = app.db.read(move |q| Ok(repositories::find(q, name)?)).await;
    found.expect("the store answers").is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_is_what_every_client_reads() {
    let (app, secrets) = seeded().await;
    let answer =
        get(&as_app(&app, &secrets, READER), "scope=repository:devtable/shared:pull").await;
    let json = answer.json();
    let mut keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    keys.sort();
    assert_eq!(keys, ["access_token", "expires_in", "issued_at", "token"]);
    assert_eq!(json["expires_in"], 300);
    let issued_at = json["issued_at"].as_str().expect("a time");
    assert!(issued_at.ends_with('Z') && issued_at.len() == 20, "{issued_at}");
    assert_eq!(answer.header("cache-control"), Some("no-cache, no-store, must-revalidate"));
    assert_eq!(answer.header("docker-distribution-api-version"), Some("registry/2.0"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));

    let claims = claims(&answer);
    assert_eq!(claims["aud"], "localhost:5000");
    assert_eq!(claims["iss"], "http://localhost:5000");
    assert_eq!(claims["sub"], "reader");
    let time = |claim: &str| claims[claim].as_i64().expect("an integer");
    assert_eq!(time("exp") - time("iat"), 300);
    assert!(time("nbf") < time("iat"));
    assert_eq!(claims["jti"].as_str(), answer.header("x-request-id"));

    let jwks = Visitor::anonymous(&app).get("/.well-known/jwks.json").await;
    let header = jwt::header(json["token"].as_str().expect("a token"));
    let key = &jwks.json()["keys"][0];
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("JWT")));
    assert_eq!((&header["kid"], &header["x5c"]), (&key["kid"], &key["x5c"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audience_is_always_one_of_ours() {
    let (app, secrets) = seeded_with(|settings| {
        settings.registry.services = vec!["one".to_owned(), "two".to_owned()];
    })
    .await;
    let reader = as_app(&app, &secrets, READER);
    for (service, audience, rights) in
        [("service=two&", "two", "pull"), ("", "one", "pull"), ("service=three&", "one", "")]
    {
        let asked = format!("/v2/auth?{service}scope=repository:devtable/shared:pull");
        let answer = reader.get(&asked).await;
        assert_eq!(claims(&answer)["aud"], audience, "{service}");
        let expected: &[String] =
            if rights.is_empty() { &[] } else { &["devtable/shared:pull".to_owned()] };
        assert_eq!(access(&answer), expected, "{service}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_scopes_are_one_and_a_star_means_what_its_holder_may() {
    let (app, secrets) = seeded().await;
    let shared = |actions: &str| format!("scope=repository:devtable/shared:{actions}");
    let reader = as_app(&app, &secrets, READER);
    let twice = format!("{}&{}&scope=&{}", shared("pull"), shared("push"), shared("pull"));
    assert_eq!(access(&get(&reader, &twice).await), ["devtable/shared:pull"]);
    assert_eq!(access(&get(&reader, &shared("*")).await), ["devtable/shared:pull"]);
    let writer = Visitor::basic(&app, "public", "password");
    assert_eq!(access(&get(&writer, &shared("*")).await), ["devtable/shared:push,pull"]);
    assert_eq!(access(&get(&writer, &shared("delete,pull")).await), ["devtable/shared:pull"]);
    let owner = Visitor::basic(&app, "devtable", "password");
    assert_eq!(access(&get(&owner, &shared("*")).await), ["devtable/shared:*"]);
    assert_eq!(access(&get(&owner, &shared("delete,pull")).await), ["devtable/shared:pull,delete"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalog_is_for_superusers() {
    let (app, secrets) =
        seeded_with(|settings| settings.quay.feature_superusers_full_access = false).await;
    let catalog = "scope=registry:catalog:*";
    let superuser = Visitor::basic(&app, "devtable", "password");
    assert_eq!(access(&get(&superuser, catalog).await), ["catalog:*"]);
    for other in [
        as_app(&app, &secrets, READER),
        Visitor::basic(&app, "$oauthtoken", &secrets.ours(DEVTABLE_READS)),
        Visitor::anonymous(&app),
    ] {
        assert_eq!(access(&get(&other, catalog).await), ["catalog:"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_name_goes_with_own_tokens_and_with_no_other() {
    let (app, secrets) = seeded().await;
    let (fresh, reads) = (secrets.ours(FRESH), secrets.ours(DEVTABLE_READS));
    let robot = secrets.ours(ROBOT);
    for (user, secret, right) in [
        ("freshuser", &fresh, true),
        ("devtable", &reads, true),
        ("devtable+dtrobot", &robot, true),
        ("reader", &fresh, false),
        ("freshuser", &robot, false),
        ("devtable+dtrobot2", &robot, false),
        ("devtable+dtrobot", &fresh, false),
        ("$app", &reads, false),
        ("$oauthtoken", &fresh, false),
        ("Freshuser", &fresh, false),
    ] {
        let status = get(&Visitor::basic(&app, user, secret), "").await.status;
        assert_eq!(status, if right { 200 } else { 401 }, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_with_a_tokens_secret_is_answered_as_oauth_wants_it() {
    let (app, secrets) = seeded().await;
    let secret = secrets.ours(READER);
    let scope =
        "repository%3Adevtable%2Fshared%3Apush%2Cpull+repository%3Adevtable%2Fsimple%3Apull";
    for user in ["reader", "%24app"] {
        let form = format!("grant_type=password&username={user}&password={secret}&scope={scope}");
        let answer = post(&app, &form).await;
        let json = answer.json();
        assert_eq!(access(&answer), ["devtable/shared:pull", "devtable/simple:"]);
        assert_eq!(json["scope"], "repository:devtable/shared:pull");
        assert_eq!(json["token_type"], "Bearer");
        assert_eq!(json["refresh_token"], Value::Null);
    }
    let human = post(&app, "grant_type=password&username=reader&password=password").await;
    assert_eq!(human.status, 401);
    assert_eq!(human.json()["errors"][0]["message"], "Invalid Username or Password");
    assert_eq!(human.json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn form_that_is_none_is_refused() {
    let (app, _) = seeded().await;
    for (form, error) in [
        ("", "invalid_request"),
        ("grant_type=client_credentials", "unsupported_grant_type"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=password&username=reader", "invalid_request"),
        ("grant_type=%ff%fe", "unsupported_grant_type"),
    ] {
        let answer = post(&app, form).await;
        assert_eq!(answer.status, 400, "{form}: {}", answer.text());
        assert_eq!(answer.json()["error"], error, "{form}");
        assert_eq!(answer.json()["errors"][0]["code"], "INVALID_REQUEST", "{form}");
    }
    let answer = post(&app, "grant_type=refresh_token&refresh_token=x").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_grant")));
    assert_eq!(answer.json()["errors"][0]["message"], "Invalid refresh token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_token_stands_for_an_app_token_and_ends_with_it() {
    let (app, secrets) = seeded().await;
    let fresh = as_app(&app, &secrets, FRESH);
    let refresh = refresh_token(&get(&fresh, "client_id=docker&offline_token=true").await);
    let ask = |scope: &str| {
        format!(
            "grant_type=refresh_token&client_id=docker&access_type=offline\
             &refresh_token={refresh}&scope={scope}"
        )
    };
    // a push makes the repository here too
    let answer = post(&app, &ask("repository:freshuser/new:push,pull")).await;
    assert_eq!(access(&answer), ["freshuser/new:push,pull"]);
    assert_eq!(claims(&answer)["sub"], "freshuser");
    assert_eq!(answer.json()["refresh_token"], Value::Null, "it makes no other");
    // it opens nothing else
    for user in ["freshuser", "$app", "$oauthtoken"] {
        assert_eq!(get(&Visitor::basic(&app, user, &refresh), "").await.status, 401, "{user}");
    }
    let elsewhere = Visitor::anonymous(&app)
        .form("/v2/auth", &ask("").replace("grant_type", "service=other&grant_type"))
        .await;
    assert_eq!(elsewhere.status, 401, "another registry's");

    let owner = Visitor::sign_in(&app, "freshuser", "password").await;
    let revoked = owner.delete(&format!("/api/v1/user/apptoken/{FRESH_ID}")).await;
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    assert_eq!(post(&app, &ask("")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_token_lives_ninety_days_at_the_most() {
    let (app, secrets) = seeded().await;
    let reader = as_app(&app, &secrets, READER);
    let refresh = refresh_token(&get(&reader, "offline_token=true").await);
    let form = format!("grant_type=refresh_token&refresh_token={refresh}");
    app.clock.advance_ms(90 * 24 * 60 * 60 * 1000 - 1);
    assert_eq!(post(&app, &form).await.status, 200);
    app.clock.advance_ms(1);
    assert_eq!(post(&app, &form).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_token_of_an_oauth_token_may_no_more_than_that() {
    let (app, secrets) = seeded().await;
    let reads = Visitor::basic(&app, "$oauthtoken", &secrets.ours(DEVTABLE_READS));
    let refresh = refresh_token(&get(&reads, "offline_token=true").await);
    let form = format!(
        "grant_type=refresh_token&refresh_token={refresh}&scope=repository:devtable/simple:*"
    );
    assert_eq!(access(&post(&app, &form).await), ["devtable/simple:pull"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_token_of_a_password_ends_with_it_and_one_of_a_token_does_not() {
    let (app, secrets) = seeded().await;
    let by_password = Visitor::basic(&app, "freshuser", "password");
    let by_token = as_app(&app, &secrets, FRESH);
    let mut forms = Vec::new();
    for visitor in [by_password, by_token] {
        let refresh = refresh_token(&get(&visitor, "offline_token=true").await);
        let form = format!("grant_type=refresh_token&refresh_token={refresh}");
        assert_eq!(post(&app, &form).await.status, 200);
        forms.push(form);
    }
    let superuser = Visitor::sign_in(&app, "devtable", "password").await;
    let user = "/api/v1/superuser/users/freshuser";
    let changed = superuser.put(user, json!({"password": "another-one"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(post(&app, &forms[0]).await.status, 401);
    assert_eq!(post(&app, &forms[1]).await.status, 200);

    let disabled = superuser.put(user, json!({"enabled": false})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text());
    let refused = post(&app, &forms[1]).await;
    let message = "This user has been disabled. Please contact your administrator.";
    assert_eq!(refused.json()["errors"][0]["message"], message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looks_or_comes_from_another_site_makes_nothing() {
    let (app, _) = seeded().await;
    let path = "/v2/auth?service=localhost:5000&offline_token=true\
                &scope=repository:devtable/made:push,pull";
    let owner = Visitor::basic(&app, "devtable", "password");
    let looked = app.send(owner.request(&Method::HEAD, path, None)).await;
    assert_eq!(looked.status, 200);
    let mut foreign = owner.request(&Method::GET, path, None);
    foreign.headers_mut().insert("origin", "https://evil.example.com".parse().expect("a header"));
    let answer = app.send(foreign).await;
    assert_eq!(access(&answer), ["devtable/made:pull"]);
    assert_eq!(answer.json()["refresh_token"], Value::Null);
    assert!(!exists(&app, "devtable/made").await);

    assert_eq!(access(&owner.get(path).await), ["devtable/made:push,pull"]);
    assert!(exists(&app, "devtable/made").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_installation_makes_nothing_and_goes_on_deciding() {
    let (app, _) =
        seeded_with(|settings| settings.quay.registry_state = RegistryState::Readonly).await;
    let owner = Visitor::basic(&app, "devtable", "password");
    let scopes = "offline_token=true&scope=repository:devtable/made:push,pull\
                  &scope=repository:devtable/simple:push,pull";
    let answer = get(&owner, scopes).await;
    assert_eq!(access(&answer), ["devtable/made:pull", "devtable/simple:push,pull"]);
    assert_eq!(answer.json()["refresh_token"], Value::Null);
    assert!(!exists(&app, "devtable/made").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_makes_its_namespace_where_that_is_on_for_a_user_alone() {
    for on in [false, true] {
        let (app, secrets) =
            seeded_with(|settings| settings.quay.create_namespace_on_push = on).await;
        let fresh = as_app(&app, &secrets, FRESH);
        let asks = async |visitor: &Visitor<'_, TestApp>, name: &str, actions: &str| {
            let answer = get(visitor, &format!("scope=repository:{name}:{actions}")).await;
            access(&answer).concat()
        };
        let robot = Visitor::basic(&app, "devtable+dtrobot", &secrets.ours(ROBOT));
        let reads = Visitor::basic(&app, "$oauthtoken", &secrets.ours(DEVTABLE_READS));
        let nobody = Visitor::anonymous(&app);
        for (visitor, actions) in
            [(&fresh, "pull"), (&fresh, "*"), (&robot, "push"), (&reads, "push"), (&nobody, "push")]
        {
            assert_eq!(asks(visitor, "fresh-ns/img", actions).await, "fresh-ns/img:");
        }
        // names that are others': a user's, one that somebody may want back
        let stranger = as_app(&app, &secrets, READER);
        assert_eq!(asks(&stranger, "freshuser/img", "push").await, "freshuser/img:");
        let session = Visitor::sign_in(&app, "freshuser", "password").await;
        let org = "/api/v1/organization/";
        assert_eq!(session.post(org, json!({"name": "was-mine"})).await.status, 201);
        assert_eq!(session.delete(&format!("{org}was-mine")).await.status, 204);
        assert_eq!(asks(&stranger, "was-mine/img", "push").await, "was-mine/img:");

        let granted = if on { "fresh-ns/img:push,pull" } else { "fresh-ns/img:" };
        assert_eq!(asks(&fresh, "fresh-ns/img", "pull,push").await, granted);
        assert_eq!(exists(&app, "fresh-ns/img").await, on);
        let made = session.get(&format!("{org}fresh-ns")).await;
        assert_eq!(made.status, if on { 200 } else { 404 });
        if !on {
            continue;
        }
        // whoever made it is its owner, and its default permissions apply from then on
        assert_eq!(made.json()["is_admin"], true);
        assert_eq!(asks(&stranger, "fresh-ns/img", "pull,push").await, "fresh-ns/img:");
        let given = json!({"role": "read", "delegate": {"kind": "user", "name": "reader"}});
        assert_eq!(session.post(&format!("{org}fresh-ns/prototypes"), given).await.status, 200);
        assert_eq!(asks(&fresh, "fresh-ns/a/b", "push").await, "fresh-ns/a/b:push");
        assert_eq!(asks(&stranger, "fresh-ns/a/b", "pull,push").await, "fresh-ns/a/b:pull");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_scope_among_good_ones_makes_nothing() {
    let (app, _) = seeded().await;
    let owner = Visitor::basic(&app, "devtable", "password");
    let scopes = "scope=repository:devtable/made:push&scope=repository:devtable/UPPER:pull";
    assert_eq!(get(&owner, scopes).await.status, 400);
    assert!(!exists(&app, "devtable/made").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn door_says_which_methods_it_knows_and_where_tokens_are() {
    let (app, _) = seeded().await;
    let nobody = Visitor::anonymous(&app);
    let options = app.send(nobody.request(&Method::OPTIONS, "/v2/auth", None)).await;
    assert_eq!(options.status, 200);
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let put = app.send(nobody.request(&Method::PUT, "/v2/auth", None)).await;
    assert_eq!(
        (put.status.as_u16(), &put.json()["errors"][0]["code"]),
        (405, &json!("UNSUPPORTED"))
    );
    for path in ["/v2/", "/v2"] {
        let version = nobody.get(path).await;
        assert_eq!((version.status.as_u16(), version.text().as_str()), (401, "true"));
        assert_eq!(
            version.header("www-authenticate"),
            Some(r#"Bearer realm="http://localhost:5000/v2/auth",service="localhost:5000""#)
        );
    }
    assert_eq!(nobody.get("/v2/devtable/simple/tags/list").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_leaf_signs_at_once_and_the_old_one_stays_published_for_a_while() {
    use claviger_service::signing::Renewal;
    use claviger_store::audit::Actor;

    let (app, secrets) = seeded().await;
    let reader = as_app(&app, &secrets, READER);
    let kid = |answer: &Answer| {
        let header = jwt::header(answer.json()["token"].as_str().expect("a token"));
        header["kid"].as_str().expect("a key id").to_owned()
    };
    let published = || async {
        let answer = Visitor::anonymous(&app).get("/.well-known/jwks.json").await;
        let kids = answer.json()["keys"].as_array().expect("keys").clone();
        kids.iter().map(|key| key["kid"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let authority = app.app.registry_certificates().await.expect("a certificate");
    let old = kid(&get(&reader, "").await);
    let program = || Actor::program("root".to_owned());

    // the certificate is renewed by itself, with the same key
    app.clock.advance_ms(61 * 24 * 60 * 60 * 1000);
    let before = app.app.registry_leaf_certificate().await.expect("a certificate");
    app.app.tend_signing_keys().await.expect("it is renewed");
    assert_ne!(app.app.registry_leaf_certificate().await.expect("a certificate"), before);
    assert_eq!(kid(&get(&reader, "").await), old);

    app.app.rotate_signing_key(Renewal::Leaf, program()).await.expect("it is replaced");
    let new = kid(&get(&reader, "").await);
    assert_ne!(new, old);
    assert_eq!(published().await, [new.clone(), old]);
    app.clock.advance_ms(16 * 60 * 1000);
    app.app.tend_signing_keys().await.expect("they are read");
    assert_eq!(published().await, [new]);
    assert_eq!(app.app.registry_certificates().await.expect("a certificate"), authority);

    app.app.rotate_signing_key(Renewal::Authority, program()).await.expect("it is replaced");
    assert_ne!(app.app.registry_certificates().await.expect("a certificate"), authority);
}
