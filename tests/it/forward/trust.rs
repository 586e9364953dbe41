//! Who is answered at all, and whom the audit then names.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use claviger_http::{Site, doors, origin::Peer};
use claviger_service::{forward::SharedSecret, settings::AuditDecisions};
use claviger_store::{Query, Stmt};
use claviger_tests::{app::TestApp, scratch::Engine, stands::SeededChance};
use http::Request;

use super::{Proxy, READER, READER_ID, bearer, seeded_with};

const SECRET: &str = "0123456789abcdefghijkl";

/// Asks from `peer`; the status.
async fn from(site: &Site, peer: &str, more: &[(&str, &str)]) -> u16 {
    let mut request = Proxy::Nginx.asks("GET", b"/public/x").expect("a request");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    status(site, peer, request.body(Body::empty()).expect("a request")).await
}

async fn status(site: &Site, peer: &str, request: Request<Body>) -> u16 {
    let peer: IpAddr = peer.parse().expect("an address");
    let peer = Peer(SocketAddr::from((peer, 40_000)));
    site.answer(Some(peer), request).await.status().as_u16()
}

fn own_listener(app: &TestApp) -> Site {
    let chance = std::sync::Arc::new(SeededChance::new(9));
    doors::proxies(&app.app, chance, &std::sync::Arc::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_trusted_peers_are_answered() {
    let (app, _) = seeded_with(Engine::Sqlite, |_| ()).await;
    for (peer, status) in [
        ("127.0.0.1", 200),
        ("127.8.8.8", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("198.51.100.7", 403),
        ("10.0.0.1", 403),
        ("::ffff:10.0.0.1", 403),
    ] {
        // what a stranger says of himself is nothing
        let forged = [("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")];
        assert_eq!(from(&app.site, peer, &forged).await, status, "{peer}");
    }
    let (app, _) = seeded_with(Engine::Sqlite, |settings| {
        settings.forward.trusted_peers = vec!["10.0.0.0/24".parse().expect("a network")];
    })
    .await;
    assert_eq!(from(&app.site, "10.0.0.9", &[]).await, 200);
    assert_eq!(from(&app.site, "127.0.0.1", &[]).await, 403);
    // nor is it told what there is
    let request = Request::get("/forward/nope").body(Body::empty()).expect("a request");
    assert_eq!(status(&app.site, "127.0.0.1", request).await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_that_strangers_come_through_must_show_more() {
    let fronted: [fn(&mut claviger_service::Settings); 2] = [
        |settings| settings.http.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")],
        |settings| settings.forward.behind_local_proxy = true,
    ];
    for change in fronted {
        let (app, _) = seeded_with(Engine::Sqlite, change).await;
        assert_eq!(from(&app.site, "127.0.0.1", &[]).await, 403);
        assert_eq!(from(&own_listener(&app), "127.0.0.1", &[]).await, 200);
        assert_eq!(from(&own_listener(&app), "198.51.100.7", &[]).await, 403);
        let (app, _) = seeded_with(Engine::Sqlite, |settings| {
            change(settings);
            settings.forward.secret = Some(SharedSecret::of(SECRET.as_bytes()));
        })
        .await;
        let name = "x-forward-secret";
        assert_eq!(from(&app.site, "127.0.0.1", &[(name, SECRET)]).await, 200);
        for wrong in [&[][..], &[(name, "x")], &[(name, "")], &[(name, SECRET), (name, SECRET)]] {
            assert_eq!(from(&app.site, "127.0.0.1", wrong).await, 403, "{wrong:?}");
        }
        assert_eq!(from(&app.site, "198.51.100.7", &[(name, SECRET)]).await, 403);
        assert_eq!(from(&own_listener(&app), "127.0.0.1", &[]).await, 403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_listener_of_its_own_it_is_nowhere_else() {
    let (app, _) = seeded_with(Engine::Sqlite, |settings| {
        settings.forward.listen = Some(SocketAddr::from(([127, 0, 0, 1], 8081)));
    })
    .await;
    assert_eq!(from(&app.site, "127.0.0.1", &[]).await, 404);
    let own = own_listener(&app);
    assert_eq!(from(&own, "127.0.0.1", &[]).await, 200);
    for path in ["/", "/v2/auth", "/api/v1/user/", "/metrics"] {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        assert_eq!(status(&own, "127.0.0.1", request).await, 403, "{path}");
    }
}

/// The decisions in the audit: outcome, actor, object, address.
async fn decided(app: &TestApp) -> Vec<(String, String, String, String)> {
    const DECIDED: Stmt = Stmt::same(
        "SELECT outcome, actor_name, object_name, address FROM audit
          WHERE act = 'decide' ORDER BY seq",
    );
    app.app.flush_decisions().await.expect("they are written");
    let rows = app.db.read(|q: &mut dyn Query| Ok(q.all(&DECIDED, &[])?)).await.expect("rows");
    let text = |row: &claviger_store::Row, at| row.text(at).expect("a text").to_owned();
    rows.iter().map(|row| (text(row, 0), text(row, 1), text(row, 2), text(row, 3))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_names_the_client_and_not_whom_it_names() {
    let (app, secrets) = seeded_with(Engine::Sqlite, |settings| {
        settings.audit.decisions = AuditDecisions::All;
    })
    .await;
    let reader = bearer(&secrets.ours(READER));
    for (method, path, forwarded) in [
        ("GET", "/v2/devtable/shared/manifests/x", "127.0.0.1, 198.51.100.7"),
        ("PUT", "/v2/devtable/shared/manifests/x", "6.6.6.6, 198.51.100.8"),
        ("GET", "/api/x", "198.51.100.9"),
    ] {
        let request = Request::get("/forward/caddy")
            .header("x-forwarded-method", method)
            .header("x-forwarded-uri", path)
            .header("x-forwarded-for", forwarded)
            .header("authorization", &reader);
        let request = request.body(Body::empty()).expect("a request");
        status(&app.site, "127.0.0.1", request).await;
    }
    let row = |outcome: &str, object: &str, address: &str| {
        (outcome.to_owned(), "reader".to_owned(), object.to_owned(), address.to_owned())
    };
    assert_eq!(
        decided(&app).await,
        [
            row("success", "devtable/shared", "198.51.100.7"),
            row("denied", "devtable/shared", "198.51.100.8"),
            row("success", "/api/**", "198.51.100.9"),
        ]
    );
    let counted = app.app.decisions().by_door().find(|(door, ..)| *door == "forward");
    assert_eq!(counted, Some(("forward", 2, 1)));
    let tokens = claviger_tests::visitor::Visitor::sign_in(&app, "reader", "password").await;
    let shown = tokens.get(&format!("/api/v1/user/apptoken/{READER_ID}")).await;
    assert!(!shown.json()["token"]["last_accessed"].is_null(), "{}", shown.text());
}
