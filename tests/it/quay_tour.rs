//! The tour of the Quay door: each kind of object is made, read, changed and removed
//!
//! * by its owner with a session, with bearer tokens of exactly one scope that each step needs, and
//!   by a superuser with full access;
//! * while nobody, a stranger, and its owner with a token of every scope but those that would do
//!   are refused at each step, and change nothing.

mod table;

use std::fmt::Write as _;

use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

use table::{KINDS, Kind, Step, Who};

const SCOPES: [&str; 8] = [
    "repo:read",
    "repo:write",
    "repo:admin",
    "repo:create",
    "user:read",
    "user:admin",
    "org:admin",
    "super:user",
];

type Person<'a> = Visitor<'a, TestApp>;

/// A user who can make tokens of any scope for himself.
struct Owner<'a> {
    app: &'a TestApp,
    session: Person<'a>,
    client: String,
    tokens: String,
}

impl<'a> Owner<'a> {
    /// `name`, who makes the organisation `org` with an application.
    async fn new(app: &'a TestApp, name: &str, org: &str) -> Self {
        let session = Visitor::sign_in(app, name, "password").await;
        let made = session.post("/api/v1/organization/", json!({"name": org})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let all = format!("/api/v1/organization/{org}/applications");
        let made = session.post(&all, json!({"name": "tour"})).await.json();
        let client = made["client_id"].as_str().expect("an id").to_owned();
        let tokens = format!("{all}/{client}/tokens");
        Self { app, session, client, tokens }
    }

    /// A bearer token of exactly these scopes.
    async fn bearer(&self, scopes: &[&str]) -> Person<'a> {
        let body = json!({"name": "tour", "scope": scopes.join(" ")});
        let made = self.session.post(&self.tokens, body).await;
        assert_eq!(made.status, 200, "{}", made.text());
        Visitor::bearer(self.app, made.json()["token"].as_str().expect("a token"))
    }
}

fn again<'a>(owner: &Owner<'a>) -> Person<'a> {
    Visitor::again(owner.app, &owner.session.kept())
}

/// How whoever may do it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Session,
    /// With the weakest scope that is enough for each step, or another one.
    Bearer(usize),
    Superuser,
}

const WAYS: [Way; 5] =
    [Way::Session, Way::Bearer(0), Way::Bearer(1), Way::Bearer(2), Way::Superuser];

/// Everybody who takes part.
struct Cast<'a> {
    reader: Owner<'a>,
    devtable: Owner<'a>,
    stranger: Person<'a>,
    nobody: Person<'a>,
}

impl<'a> Cast<'a> {
    fn owner(&self, kind: &Kind) -> &Owner<'a> {
        match kind.owner {
            Who::User => &self.reader,
            Who::Superuser => &self.devtable,
        }
    }

    /// Whoever may do `step`.
    async fn good(&self, kind: &Kind, step: &Step, way: Way) -> Person<'a> {
        let owner = self.owner(kind);
        match way {
            Way::Session => again(owner),
            Way::Superuser => again(&self.devtable),
            Way::Bearer(nth) => match step.scopes {
                [] => owner.bearer(&["repo:read"]).await,
                scopes => owner.bearer(&[scopes[nth.min(scopes.len() - 1)]]).await,
            },
        }
    }

    /// All who may not.
    async fn bad(&self, kind: &Kind, step: &Step) -> Vec<(&'static str, Person<'a>)> {
        if step.scopes.is_empty() {
            return Vec::new();
        }
        let others: Vec<&str> =
            SCOPES.into_iter().filter(|scope| !step.scopes.contains(scope)).collect();
        let mut bad = vec![
            ("nobody", Visitor::again(self.reader.app, &self.nobody.kept())),
            ("a token with the other scopes", self.owner(kind).bearer(&others).await),
        ];
        if !step.everybodys {
            bad.push(("a stranger", Visitor::again(self.reader.app, &self.stranger.kept())));
        }
        bad
    }
}

/// One object on its tour.
struct Tour<'a> {
    kind: &'a Kind,
    way: Way,
    /// Every object has a name of its own: who had it last must not matter.
    name: String,
    /// What the server calls it.
    id: String,
    /// An application of the organisation acme.
    client: &'a str,
}

impl Tour<'_> {
    fn fill(&self, text: &str) -> String {
        text.replace("{n}", &self.name).replace("{id}", &self.id).replace("{client}", self.client)
    }

    async fn send(&self, who: &Person<'_>, step: &Step) -> Answer {
        let path = self.fill(step.path);
        let kind = (!step.body.is_empty()).then_some("application/json");
        let method: Method = step.method.parse().expect("a method");
        who.send(method, &path, kind, self.fill(step.body).into_bytes()).await
    }

    async fn step(&mut self, app: &TestApp, cast: &Cast<'_>, step: &Step) -> Result<(), String> {
        let Self { kind: Kind { name, key, .. }, way, .. } = *self;
        let label = format!("{name} by {way:?}: {} {}", step.method, self.fill(step.path));
        // who is refused does not depend on who did the steps before
        let bad = match way {
            Way::Session => cast.bad(self.kind, step).await,
            Way::Bearer(_) | Way::Superuser => Vec::new(),
        };
        let good = cast.good(self.kind, step, way).await;
        for (who, person) in bad {
            let before = app.rows().await;
            let answer = self.send(&person, step).await;
            let status = answer.status.as_u16();
            // what is somebody else's own is absent
            let refused = matches!(status, 401 | 403)
                || step.own && who == "a stranger" && matches!(status, 400 | 404);
            if !refused {
                return Err(format!("{label}: {who} is answered {status} {}", answer.text()));
            }
            if app.rows().await != before {
                return Err(format!("{label}: {who} changes something"));
            }
        }
        let answer = self.send(&good, step).await;
        if answer.status != step.status {
            return Err(format!("{label}: {} {}", answer.status, answer.text()));
        }
        let body = answer.json();
        if let Some(id) = key.and_then(|key| body.pointer(key)).and_then(Value::as_str) {
            id.clone_into(&mut self.id);
        }
        if step.shows.is_empty() {
            return Ok(());
        }
        let wanted: Value = serde_json::from_str(&self.fill(step.shows)).expect("JSON");
        let shown = wanted
            .as_object()
            .expect("an object")
            .iter()
            .all(|(at, value)| body.pointer(at).unwrap_or(&Value::Null) == value);
        if shown { Ok(()) } else { Err(format!("{label}: shows {body}, and not {wanted}")) }
    }
}

claviger_tests::both! {
    async fn every_kind_of_object_is_its_owners_alone(engine: Engine) {
        let mut settings = settings::of(&Map::new(), &seed::read());
        settings.quay.feature_mailing = false;
        settings.quay.feature_superusers_full_access = true;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let cast = Cast {
            reader: Owner::new(&app, "reader", "acme").await,
            devtable: Owner::new(&app, "devtable", "ops").await,
            stranger: Visitor::sign_in(&app, "freshuser", "password").await,
            nobody: Visitor::stranger(&app).await,
        };
        for (path, body) in [
            ("organization/acme/team/devs", json!({"role": "member"})),
            ("organization/acme/robots/ci", json!({})),
        ] {
            let made = cast.reader.session.put(&format!("/api/v1/{path}"), body).await;
            assert!(made.status.is_success(), "{path}: {}", made.text());
        }
        for (name, visibility) in [("app", "private"), ("open", "public")] {
            let body = json!({
                "namespace": "acme", "repository": name, "visibility": visibility, "description": "",
            });
            assert_eq!(cast.reader.session.post("/api/v1/repository", body).await.status, 201);
        }

        let mut wrong = String::new();
        for kind in KINDS {
            for (number, way) in WAYS.into_iter().enumerate() {
                let needed = |nth: usize| nth == 0 || kind.steps.iter().any(|s| s.scopes.len() > nth);
                if let Way::Bearer(nth) = way && !needed(nth) {
                    continue;
                }
                let name = format!("x{number}");
                let client = cast.reader.client.as_str();
                let mut tour = Tour { kind, way, name, id: String::new(), client };
                for step in kind.steps {
                    if let Err(what) = tour.step(&app, &cast, step).await {
                        writeln!(wrong, "{what}").expect("a string");
                        break;
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "\n{wrong}");
    }
}
