//! Somebody with every kind of credential, twice: one that is revoked on its own, one that lives
//! as long as he does.

use std::{path::Path, sync::Arc};

use claviger_tests::{
    answer::Answer,
    real::{
        people::{Anybody, PASSWORD, make_app_token, make_user},
        program::{Program, run},
    },
    visitor::{Credential as Shown, Visitor},
};
use serde_json::{Value, json};

use super::{
    DIRECT, TEAM,
    probe::{Credential, Door, Probe},
};

pub(super) struct Person<'a> {
    pub(super) name: String,
    /// Where the Astra door has his tokens.
    pub(super) astra: String,
    pub(super) visitor: Anybody<'a>,
    program: &'a Program,
    /// A credential that is revoked on its own: its name, its id, and its end in its own door.
    pub(super) ends: Vec<(&'static str, String, String)>,
    pub(super) probes: Vec<Arc<Probe>>,
}

impl<'a> Person<'a> {
    pub(super) async fn new(
        program: &'a Program,
        folder: &Path,
        store: &[&str],
        admin: &Anybody<'_>,
        name: String,
    ) -> Self {
        let visitor = make_user(program, admin, &name).await;
        let me = visitor.get("/claviger/v1/whoami").await.json();
        let (account, id) = (text(&me, "account"), text(&me, "id"));
        let astra = format!("/accounts/{account}/core/v1/users/{id}/tokens");
        let (ends, probes) = (Vec::new(), Vec::new());
        let mut person = Self { name, astra, visitor, program, ends, probes };
        person.place(admin).await;
        person.robots().await;
        person.app_tokens().await;
        person.oauth_tokens().await;
        person.authorizations().await;
        person.api_tokens(folder, store).await;
        person.session("session1");
        person
    }

    fn own(&self) -> String {
        format!("{}/own", self.name)
    }

    /// What he may, besides what is his own.
    async fn place(&self, admin: &Anybody<'_>) {
        let own = json!({
            "namespace": self.name, "repository": "own", "visibility": "private",
            "description": "",
        });
        done(&self.visitor.post("/api/v1/repository", own).await);
        let read = json!({"role": "read"});
        let direct = format!("/api/v1/repository/{DIRECT}/permissions/user/{}", self.name);
        done(&admin.put(&direct, read).await);
        let member = format!("/api/v1/organization/acme/team/devs/members/{}", self.name);
        done(&admin.put(&member, json!({})).await);
    }

    fn probe(&mut self, by: &'static str, who: &Credential, doors: &[Door], repository: &str) {
        let probe = |door: &Door| Arc::new(Probe::new(*door, by, who, repository, &self.astra));
        let probes: Vec<_> = doors.iter().map(probe).collect();
        self.probes.extend(probes);
    }

    fn credential(&self, login: &str, secret: String) -> Credential {
        let header = ("authorization", format!("Bearer {secret}"));
        Credential { login: login.to_owned(), secret, header, name: self.name.clone() }
    }

    async fn app_tokens(&mut self) {
        let doors = [&[Door::Registry, Door::Decisions][..], &Door::PROXIES].concat();
        for by in ["app1", "app2"] {
            let (id, secret) = make_app_token(&self.visitor, by).await;
            let who = self.credential("$app", secret.clone());
            self.probe(by, &who, &doors, &self.own());
            if by == "app1" {
                self.ends.push((by, id.clone(), format!("/api/v1/user/apptoken/{id}")));
                let docker = Visitor::basic(self.program, "$app", &secret);
                let answer =
                    docker.get("/v2/auth?service=registry&client_id=test&offline_token=true").await;
                let refresh = self.credential("", text(&answer.json(), "refresh_token"));
                self.probe(by, &refresh, &[Door::Refresh], &self.own());
            } else {
                self.probe(by, &who, &doors, DIRECT);
                self.probe(by, &who, &doors, TEAM);
            }
        }
    }

    async fn oauth_tokens(&mut self) {
        let org = format!("{}-org", self.name);
        done(&self.visitor.post("/api/v1/organization/", json!({"name": org})).await);
        let apps = format!("/api/v1/organization/{org}/applications");
        let made = self.visitor.post(&apps, json!({"name": "console"})).await;
        let tokens = format!("{apps}/{}/tokens", text(&made.json(), "client_id"));
        let own = [Door::Quay, Door::Native, Door::Registry, Door::Decisions];
        let doors = [&own[..], &Door::PROXIES].concat();
        for by in ["oauth1", "oauth2"] {
            let body = json!({"name": by, "scope": "repo:read user:read"});
            let made = self.visitor.post(&tokens, body).await;
            done(&made);
            let who = self.credential("$oauthtoken", text(&made.json(), "token"));
            self.probe(by, &who, &doors, &self.own());
            if by == "oauth1" {
                let id = text(&made.json(), "uuid");
                self.ends.push((by, id.clone(), format!("/api/v1/user/authorizations/{id}")));
            } else {
                self.probe(by, &who, &[Door::Quay, Door::Native], DIRECT);
                self.probe(by, &who, &[Door::Quay, Door::Native], TEAM);
            }
        }
    }

    async fn authorizations(&mut self) {
        let own = [Door::OpenShift, Door::Native, Door::Registry, Door::Decisions];
        let doors = [&own[..], &Door::PROXIES].concat();
        let broker = Visitor::basic(self.program, &self.name, PASSWORD);
        for by in ["authorization1", "authorization2"] {
            let body = json!({"scope": "session", "note": by});
            let made = broker.post("/broker/rest/user/authorizations", body).await;
            done(&made);
            let data = &made.json()["data"];
            let who = self.credential(&self.name, text(data, "token"));
            self.probe(by, &who, &doors, &self.own());
            if by == "authorization1" {
                let id = text(data, "id");
                let path = format!("/broker/rest/user/authorization/{id}");
                let native = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
                self.ends.push((by, native, path));
            }
        }
    }

    async fn api_tokens(&mut self, folder: &Path, store: &[&str]) {
        let own = [Door::Astra, Door::Native, Door::Registry, Door::Decisions];
        let doors = [&own[..], &Door::PROXIES].concat();
        let arguments = ["admin", "create-token", "--user", &self.name, "--kind", "api"];
        let made = run(folder, &[&arguments[..], store].concat(), "");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let second = String::from_utf8(made.stdout).expect("text").trim().to_owned();
        let body = json!({"type": "application/astra-token", "version": "1.0", "name": "api1"});
        let made = Visitor::bearer(self.program, &second).post(&self.astra, body).await;
        done(&made);
        let (id, first) = (text(&made.json(), "id"), text(&made.json(), "token"));
        self.ends.push(("api1", id.clone(), format!("{}/{id}", self.astra)));
        for (by, secret) in [("api1", first), ("api2", second)] {
            let who = self.credential(&self.name, secret);
            self.probe(by, &who, &doors, &self.own());
        }
    }

    async fn robots(&mut self) {
        let doors = [&[Door::Registry, Door::Decisions][..], &Door::PROXIES].concat();
        for (by, short) in [("robot1", "one"), ("robot2", "two")] {
            let path = format!("/api/v1/user/robots/{short}");
            let made = self.visitor.put(&path, json!({})).await;
            done(&made);
            let name = format!("{}+{short}", self.name);
            let read = format!("/api/v1/repository/{}/permissions/user/{name}", self.own());
            done(&self.visitor.put(&read, json!({"role": "read"})).await);
            let mut who = self.credential(&name, text(&made.json(), "token"));
            who.name = name;
            self.probe(by, &who, &doors, &self.own());
            if by == "robot1" {
                self.ends.push((by, String::new(), path));
            }
        }
    }

    fn session(&mut self, by: &'static str) {
        let (cookie, _) = self.visitor.session().expect("a session");
        let mut who = self.credential("", String::new());
        who.header = ("cookie", cookie.to_owned());
        self.probe(by, &who, &[Door::Quay, Door::Native], &self.own());
    }

    /// Signs in once more; what the new session opens.
    pub(super) async fn sign_in(&mut self) -> Vec<Arc<Probe>> {
        self.visitor = Visitor::sign_in(self.program, &self.name, PASSWORD).await;
        let known = self.probes.len();
        self.session("session2");
        self.probes[known..].to_vec()
    }

    /// Whoever ends the credential of this name in its own door.
    pub(super) fn at_its_own_door(&self, by: &str) -> Anybody<'a> {
        match by {
            "authorization1" => Visitor::basic(self.program, &self.name, PASSWORD),
            "api1" => {
                let probe = self.probes.iter().find(|probe| probe.by == "api2").expect("a token");
                let value = probe.header("authorization").to_owned();
                Visitor::again(self.program, &Shown::Authorization(value))
            }
            _ => Visitor::again(self.program, &self.visitor.kept()),
        }
    }
}

pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

pub(super) fn done(answer: &Answer) {
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text());
}
