//! The OAuth door and applications: what the recorded exchanges do not hold.

mod applications;

use claviger_service::{
    Settings,
    settings::{RegistryState, Reveal},
};
use claviger_store::{Query, Stmt};
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{seed, settings},
    server::Server,
    visitor::Visitor,
};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

const APPLICATIONS: &str = "/api/v1/organization/buynlarge/applications";
const REGISTERED: &str = "http://localhost:8000/o2c.html";
const AUTHORIZE_APP: &str = "/oauth/authorizeapp";
const CODE_MS: i64 = 600_000;

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

/// A query or form of these pairs.
fn pairs(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

/// A question of the seed's application `deadbeef`.
fn asked(kind: &str, redirect_uri: &str, scope: &str) -> String {
    pairs(&[
        ("response_type", kind),
        ("client_id", "deadbeef"),
        ("redirect_uri", redirect_uri),
        ("scope", scope),
    ])
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{}", answer.text());
    answer.header("location").expect("a location")
}

/// The token in the fragment.
fn token_in(answer: &Answer) -> String {
    let (_, rest) = location(answer).split_once("#access_token=").expect("a token");
    rest.split('&').next().expect("a token").to_owned()
}

fn code_in(answer: &Answer) -> String {
    location(answer).split_once("&code=").expect("a code").1.to_owned()
}

async fn tokens(app: &TestApp) -> i64 {
    let stmt = Stmt::same("SELECT CAST(COUNT(*) AS BIGINT) FROM token WHERE kind = 'oauth'");
    let count = app.db.read(move |q: &mut dyn Query| Ok(q.optional(&stmt, &[])?));
    count.await.expect("an answer").expect("a row").int(0).expect("a number")
}

fn exchange(code: &str, more: &[(&str, &str)]) -> String {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", "deadbeef"),
        ("client_secret", "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK"),
        ("redirect_uri", REGISTERED),
        ("scope", "user:read"),
        ("code", code),
    ];
    let kept = usual.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    pairs(&kept.chain(more).copied().collect::<Vec<_>>())
}

async fn a_code<S: Server>(user: &Visitor<'_, S>) -> String {
    code_in(&user.form(AUTHORIZE_APP, &asked("code", REGISTERED, "user:read")).await)
}

/// An application of buynlarge, made over the API; its client id and secret.
async fn made<S: Server>(owner: &Visitor<'_, S>, body: Value) -> (String, String) {
    let view = owner.post(APPLICATIONS, body).await.json();
    let text = |key: &str| view[key].as_str().expect("text").to_owned();
    (text("client_id"), text("client_secret"))
}

claviger_tests::both! {
    async fn implicit_grant_gives_a_token_that_works_for_ten_years(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let form = asked("token", REGISTERED, "user:read repo:read") + "&state=a%20%26b";
        let answer = owner.form(AUTHORIZE_APP, &form).await;
        let token = token_in(&answer);
        assert_eq!(
            location(&answer),
            format!(
                "{REGISTERED}?scope=user%3Aread+repo%3Aread&state=a+%26b\
                 #access_token={token}&token_type=Bearer&expires_in=315576000"
            )
        );
        let bearer = Visitor::bearer(&app, &token);
        assert_eq!(bearer.get("/api/v1/user/authorizations").await.status, 403);
        app.clock.advance_ms(315_576_000_000 - 1);
        assert_eq!(bearer.get("/api/v1/user/authorizations").await.status, 403);
        app.clock.advance_ms(1);
        assert_eq!(bearer.get("/api/v1/user/authorizations").await.status, 401);
    }

    async fn nothing_is_sent_where_the_application_did_not_register_it(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let stranger = Visitor::sign_in(&app, "reader", "password").await;
        let before = tokens(&app).await;
        for uri in [
            "",
            "http://evil.example/",
            "http://localhost:8000/",
            "http://localhost:8000/o2c.htmlevil",
            "http://localhost:8000/o2c.html/../x",
            "http://localhost:8000/o2c.html/%2e%2e/x",
            "http://localhost:8000@evil.example/o2c.html",
            "http://evil.example\\@localhost:8000/o2c.html",
            "http://localhost:8001/o2c.html",
            "https://localhost:8000/o2c.html",
            "http://localhost:8000/o2c.html#x",
            "http://localhost:8000/o2c.html\r\nset-cookie: a=b",
            "//localhost:8000/o2c.html",
            "javascript:alert(1)",
            "http://localhost:5000/oauth/localapp/../x",
        ] {
            for kind in ["token", "code", "bogus"] {
                for scope in ["repo:read", "bogus"] {
                    for visitor in [&owner, &stranger] {
                        let form = asked(kind, uri, scope);
                        let unknown = form.replace("deadbeef", "nosuch");
                        for (path, form) in [
                            (AUTHORIZE_APP, &form),
                            (AUTHORIZE_APP, &unknown),
                            ("/oauth/denyapp", &form),
                            ("/oauth/denyapp", &unknown),
                        ] {
                            let answer = visitor.form(path, form).await;
                            assert_eq!(answer.status, 400, "{path} {form}");
                            assert_eq!(answer.text(), r#"{"error":"invalid_request"}"#);
                        }
                    }
                }
            }
            let question = asked("token", uri, "super:user");
            let answer = owner.get(&format!("/oauth/authorize?{question}")).await;
            let registered = format!("{REGISTERED}?error=redirect_uri_mismatch");
            assert!(
                answer.status == 400 || location(&answer) == registered,
                "{uri} {}", answer.status
            );
        }
        let below = asked("code", "http://localhost:8000/o2c.html/more", "repo:read");
        assert_eq!(owner.form(AUTHORIZE_APP, &below).await.status, 400, "codes match exactly");
        assert_eq!(tokens(&app).await, before);
    }

    async fn an_error_is_told_where_a_token_could_have_gone(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let stranger = Visitor::sign_in(&app, "reader", "password").await;
        let told = |answer: &Answer| location(answer).to_owned();
        let error = |word: &str| format!("{REGISTERED}?error={word}");

        let form = asked("bogus", REGISTERED, "repo:read");
        assert_eq!(told(&owner.form(AUTHORIZE_APP, &form).await), error("unsupported_response_type"));
        let form = asked("token", REGISTERED, "");
        assert_eq!(told(&owner.form(AUTHORIZE_APP, &form).await), error("invalid_scope"));
        let form = asked("token", REGISTERED, "repo:read");
        assert_eq!(told(&stranger.form(AUTHORIZE_APP, &form).await), error("unauthorized_client"));
        let form = asked("code", REGISTERED, "repo:read");
        assert_eq!(told(&stranger.form(AUTHORIZE_APP, &form).await), error("unauthorized_client"));
        assert_eq!(told(&owner.form("/oauth/denyapp", &form).await), error("authorization_denied"));
        let denied = app.db.read(|q: &mut dyn Query| {
            let stmt = Stmt::same(
                "SELECT actor_name, outcome, reason FROM audit WHERE act = 'authorize_application'"
            );
            Ok(q.all(&stmt, &[])?.len())
        });
        assert_eq!(denied.await.expect("an answer"), 2, "refusals are in the audit");
    }

    async fn another_site_cannot_make_a_browser_consent(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let (cookie, csrf) = owner.session().expect("a session");
        let form = asked("token", REGISTERED, "repo:read");
        let before = tokens(&app).await;
        let post = |path: &str, form: &str, headers: &[(&str, &str)]| {
            let mut request = http::Request::post(path)
                .header("cookie", cookie)
                .header("content-type", "application/x-www-form-urlencoded");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(form.as_bytes().to_vec()).expect("a request")
        };
        let offer = format!("/oauth/authorize/assignuser?{form}&username=reader");
        for (path, form) in
            [(AUTHORIZE_APP, form.as_str()), ("/oauth/denyapp", &form), (offer.as_str(), "")]
        {
            for headers in [
                &[][..],
                &[("x-csrf-token", "wrong")],
                &[("x-csrf-token", csrf), ("sec-fetch-site", "cross-site")],
                &[("x-csrf-token", csrf), ("sec-fetch-site", "same-site")],
                &[("x-csrf-token", csrf), ("origin", "https://evil.example")],
            ] {
                let answer = app.send(post(path, form, headers)).await;
                assert_eq!(answer.status, 403, "{path} {headers:?}");
                assert!(answer.text().starts_with("{\"error\":\"CSRF token was invalid"));
            }
        }
        let basic = Visitor::basic(&app, "devtable", "password");
        assert_eq!(basic.form(AUTHORIZE_APP, &form).await.status, 403, "Basic needs the token too");
        assert_eq!(tokens(&app).await, before);

        let own = [("origin", "http://localhost:5000"), ("sec-fetch-site", "same-origin")];
        let with_field = format!("{form}&_csrf_token={csrf}");
        assert_eq!(app.send(post(AUTHORIZE_APP, &with_field, &own)).await.status, 302);
        assert_eq!(tokens(&app).await, before + 1);
    }

    async fn a_link_elsewhere_asks_again_instead_of_making_a_token(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let (cookie, _) = owner.session().expect("a session");
        let path = format!("/oauth/authorize?{}", asked("token", REGISTERED, "repo:read"));
        let before = tokens(&app).await;
        let request = |method: Method, site: &str| {
            http::Request::builder()
                .method(method)
                .uri(&path)
                .header("cookie", cookie)
                .header("sec-fetch-site", site)
                .body(Vec::new())
                .expect("a request")
        };
        for site in ["cross-site", "same-site"] {
            let answer = app.send(request(Method::GET, site)).await;
            assert_eq!(answer.status, 200, "{site}");
            assert!(answer.text().contains("<form"));
        }
        assert_eq!(app.send(request(Method::HEAD, "none")).await.status, 200);
        assert_eq!(tokens(&app).await, before, "looking makes no token");
        let answer = app.send(request(Method::GET, "none")).await;
        assert_eq!(Visitor::bearer(&app, &token_in(&answer)).get("/api/v1/user/authorizations").await.status, 403);
        assert_eq!(tokens(&app).await, before + 1);
    }

    async fn consent_page_holds_no_markup_of_others(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let script = "\"><script>alert(1)</script>";
        let new = json!({"name": script, "description": script, "redirect_uri": "https://app.example/cb"});
        let (client_id, _) = made(&owner, new).await;
        let question = pairs(&[
            ("response_type", "token"),
            ("client_id", &client_id),
            ("redirect_uri", "https://app.example/cb"),
            ("scope", "user:admin"),
            ("state", script),
        ]);
        let page = owner.get(&format!("/oauth/authorize?{question}")).await;
        assert_eq!(page.status, 200);
        assert!(!page.text().contains("<script"), "{}", page.text());
        assert_eq!(
            page.header("content-security-policy").expect("a policy"),
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' \
             https://app.example"
        );
        assert!(page.header("cache-control").expect("a rule").contains("no-store"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
    }

    async fn code_is_exchanged_once_and_within_ten_minutes(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let nobody = Visitor::anonymous(&app);
        let send = async |form: String| {
            let answer = nobody.form("/oauth/access_token", &form).await;
            (answer.status.as_u16(), answer.json())
        };
        let error = |word: &str| (400, json!({"error": word}));

        let code = a_code(&owner).await;
        let wrong = [
            (("client_secret", "L"), "invalid_client"),
            (("client_id", "nosuch"), "invalid_client"),
            (("client_id", "deadpork"), "invalid_client"),
            (("grant_type", "refresh_token"), "unsupported_grant_type"),
            (("redirect_uri", "http://localhost:8000/o2c.html/"), "invalid_grant"),
            (("scope", "user:admin"), "invalid_grant"),
            (("scope", ""), "invalid_grant"),
            (("code", ""), "invalid_grant"),
        ];
        for (pair, word) in wrong {
            assert_eq!(send(exchange(&code, &[pair])).await, error(word), "{pair:?}");
        }
        let other = [
            ("client_id", "deadpork"),
            ("client_secret", "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL"),
        ];
        assert_eq!(send(exchange(&code, &other)).await, error("invalid_grant"), "another's code");

        let (status, reply) = send(exchange(&code, &[])).await;
        assert_eq!(status, 200);
        assert_eq!(
            (&reply["token_type"], &reply["expires_in"], &reply["refresh_token"]),
            (&json!("Bearer"), &json!(315_576_000), &Value::Null)
        );
        let bearer = Visitor::bearer(&app, reply["access_token"].as_str().expect("a token"));
        assert_eq!(bearer.get("/api/v1/user/authorizations").await.status, 403);
        assert_eq!(send(exchange(&code, &[])).await, error("invalid_grant"), "used up");

        let code = a_code(&owner).await;
        app.clock.advance_ms(CODE_MS);
        assert_eq!(send(exchange(&code, &[])).await, error("invalid_grant"), "too late");
        let code = a_code(&owner).await;
        app.clock.advance_ms(CODE_MS - 1);
        assert_eq!(send(exchange(&code, &[])).await.0, 200, "in time");
    }

    async fn only_the_exchange_of_codes_is_open_to_scripts_of_other_origins(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let nobody = Visitor::anonymous(&app);
        let answer = nobody.form("/oauth/access_token", "").await;
        assert_eq!(answer.text(), r#"{"error":"Required param: grant_type"}"#);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let options = nobody.send(Method::OPTIONS, "/oauth/access_token", None, Vec::new()).await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (200, Some("POST, OPTIONS")));
        assert_eq!(options.header("access-control-allow-origin"), Some("*"));
        for path in ["/oauth/authorize", "/oauth/localapp", "/oauth/nothing", "/nothing"] {
            for method in [Method::GET, Method::OPTIONS] {
                let answer = nobody.send(method, path, None, Vec::new()).await;
                assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
            }
        }
    }

    async fn offers_can_be_switched_off(engine: Engine) {
        let mut off = test_settings();
        off.quay.feature_assign_oauth_token = false;
        let (app, _) = TestApp::seeded(engine, off).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let query = asked("token", REGISTERED, "repo:read");
        let offer = format!("/oauth/authorize/assignuser?{query}&username=reader");
        assert_eq!(owner.form(&offer, "").await.status, 404);
        let list = "/api/v1/user/assignedauthorization";
        assert_eq!(owner.get(list).await.status, 404);
        let one = format!("{list}/00000000-0000-4000-8000-0000000000a5");
        assert_eq!(owner.delete(&one).await.status, 404);
    }

    async fn nothing_is_granted_while_the_system_is_read_only(engine: Engine) {
        let mut read_only = test_settings();
        read_only.quay.registry_state = RegistryState::Readonly;
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let before = tokens(&app).await;
        let beside = app.beside(read_only);
        let chance = std::sync::Arc::new(claviger_tests::stands::SeededChance::new(9));
        let site = claviger_http::doors::site(&beside, chance, &std::sync::Arc::default());
        let form = asked("token", REGISTERED, "repo:read");
        let ask = async |request: http::Request<Vec<u8>>| {
            site.answer(None, request.map(axum::body::Body::from)).await.status().as_u16()
        };
        let get = owner.request(&Method::GET, &format!("/oauth/authorize?{form}"), None);
        assert_eq!(ask(get).await, 200, "the user is asked, nothing is made");
        let mut post = owner.request(&Method::POST, AUTHORIZE_APP, None);
        *post.body_mut() = form.into_bytes();
        let kind = "application/x-www-form-urlencoded".parse().expect("a header");
        post.headers_mut().insert("content-type", kind);
        post.headers_mut().remove("content-length");
        assert_eq!(ask(post).await, 503);
        assert_eq!(tokens(&app).await, before);
        beside.close();
    }
}
