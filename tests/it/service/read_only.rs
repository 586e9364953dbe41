//! V16: a database that takes no writes stops no check. The last use of a token, what was decided,
//! and where a server stands are written beside the requests, never on their way.

use std::sync::Arc;

use claviger_service::{Settings, settings::AuditDecisions};
use claviger_store::{Memory, Query, Stmt, Touched};
use claviger_tests::{
    app::TestApp,
    both,
    case::{seed, settings},
    scratch::{Engine, apart, postgres_url},
    visitor::Visitor,
};
use postgres::{Client, NoTls};
use rusqlite::Connection;
use serde_json::{Map, json};

const ASK: &str = "/v2/auth?service=localhost:5000&scope=repository:freshuser/new:pull";

/// Whoever keeps the store from being written.
enum Bar {
    Sqlite(Connection),
    Postgres(String),
}

impl Bar {
    async fn set(engine: Engine, app: &TestApp) -> Self {
        if engine == Engine::Sqlite {
            let other = Connection::open(app.folder().join("claviger.db")).unwrap();
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            return Self::Sqlite(other);
        }
        let name = Stmt::same("SELECT current_database()::text");
        let row = app.db.read(move |q: &mut dyn Query| Ok(q.optional(&name, &[])?)).await.unwrap();
        let name = row.unwrap().text(0).unwrap().to_owned();
        Self::read_only(&name, "on");
        Self::Postgres(name)
    }

    /// Connections are made anew, and so hear of it.
    fn read_only(name: &str, word: &str) {
        let sql = format!(
            "ALTER DATABASE {name} SET default_transaction_read_only = {word};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"
        );
        apart(|| Client::connect(&postgres_url(), NoTls).unwrap().batch_execute(&sql).unwrap());
    }

    fn lift(self) {
        match self {
            Self::Sqlite(other) => drop(other),
            Self::Postgres(name) => Self::read_only(&name, "off"),
        }
    }
}

/// Each finds out by itself that its connection is gone.
async fn all_readers_answer(app: &TestApp) -> bool {
    let asks = (0..16).map(|_| {
        let app = Arc::clone(&app.app);
        tokio::spawn(async move { app.ready().await.is_ok() })
    });
    let asks: Vec<_> = asks.collect();
    let mut all = true;
    for ask in asks {
        all &= ask.await.unwrap();
    }
    all
}

both! {
    async fn a_database_that_takes_no_writes_stops_no_check(engine: Engine) {
        let mut settings: Settings = settings::of(&Map::new(), &seed::read());
        settings.audit.decisions = AuditDecisions::All;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "freshuser", "password").await;
        let made = owner.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;
        let code = made.json()["token"]["token_code"].as_str().unwrap().to_owned();
        let machine = Visitor::basic(&app, "$app", &code);
        app.app.flush_activity().await.unwrap();

        let bar = Bar::set(engine, &app).await;
        while !all_readers_answer(&app).await {}
        for forgotten in [false, true] {
            if forgotten {
                app.app.facts().evict(&[Touched::All]);
            }
            assert_eq!(machine.get(ASK).await.status, 200);
            assert_eq!(owner.get("/api/v1/user/").await.status, 200);
            assert_eq!(Visitor::basic(&app, "$app", "clva_no").get(ASK).await.status, 401);
        }
        let made = owner.post("/api/v1/user/apptoken", json!({"title": "another"})).await;
        assert!(made.status.is_server_error(), "{}", made.text());
        assert!(app.app.flush_activity().await.is_err());
        assert!(app.app.flush_decisions().await.is_err());
        assert!(app.app.decisions().dropped() > 0, "what the audit misses is counted");

        bar.lift();
        while !all_readers_answer(&app).await || app.app.flush_activity().await.is_err() {}
        let list = owner.get("/api/v1/user/apptoken").await.json();
        let laptop = list["tokens"].as_array().unwrap().iter().find(|t| t["title"] == "laptop");
        assert_ne!(laptop.unwrap()["last_accessed"], json!(null), "the last use was kept");
    }
}
