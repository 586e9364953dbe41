//! The fixture of the cases, written into the store: no door takes ids and timestamps.

use std::collections::BTreeMap;

use claviger_domain::{
    TokenKind, UnixMillis,
    account::Label,
    collection::{Instant, instant},
    id::{AccountId, PrincipalId, TokenId},
    principal::PrincipalKind,
    role::AccountRole,
    scope::Scopes,
};
use claviger_service::{Settings, keys::KeyRing};
use claviger_store::{
    Tx, accounts, labels,
    principals::{self, Principal},
    role_bindings,
    tokens::{self, Form, NewSecret, NewToken},
};
use serde_json::Value;

use super::case::Known;
use crate::{app::TestApp, scratch::Engine, stands::SeededChance};

/// An application with the fixture in it, and what the cases know of it by name. A recorded bearer
/// is known under its own text too.
pub async fn world(engine: Engine, fixture: &Value) -> (TestApp, Known) {
    let app = TestApp::empty(engine, Settings::default()).await;
    let (keys, fixture) = (app.keys(), fixture.clone());
    let known = app.db.write(move |tx| {
        let mut seeder = Seeder {
            tx,
            keys,
            chance: SeededChance::new(0xa57a),
            users: BTreeMap::new(),
            known: Known::new(),
        };
        seeder.accounts(&fixture["accounts"]);
        seeder.users(&fixture["users"]);
        seeder.tokens(&fixture["tokens"]);
        seeder.bearers(&fixture["bearers"]);
        Ok(seeder.known)
    });
    let known = known.await.expect("the fixture");
    (app, known)
}

/// Before every token of the fixture.
const BEFORE: UnixMillis = UnixMillis(1_709_200_000_000);

struct Seeder<'a, 'b> {
    tx: &'a mut Tx<'b>,
    keys: KeyRing,
    chance: SeededChance,
    /// Id and account.
    users: BTreeMap<String, (PrincipalId, AccountId)>,
    known: Known,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().expect("an object").iter()
}

impl Seeder<'_, '_> {
    fn accounts(&mut self, all: &Value) {
        for (name, id) in entries(all) {
            let id = id.as_str().expect("an id");
            let account = accounts::Account::new(id.parse().expect("an id"), name, BEFORE, None);
            accounts::insert(self.tx, &account).expect("an account");
            self.known.insert(name.clone(), id.to_owned());
        }
    }

    fn users(&mut self, all: &Value) {
        for (name, user) in entries(all) {
            let id: PrincipalId = text(user, "id").parse().expect("an id");
            let account: AccountId = text(user, "account").parse().expect("an id");
            let role: AccountRole = text(user, "role").parse().expect("a role");
            let named = format!("case-{}", name.to_lowercase().replace('_', "-"));
            let principal = Principal {
                email: Some(text(user, "email").to_owned()),
                verified_at: Some(BEFORE),
                ..Principal::new(id, account, PrincipalKind::User, &named, BEFORE)
            };
            principals::insert(self.tx, &principal).expect("a user");
            role_bindings::insert_first(self.tx, &id, &account, role, BEFORE, None)
                .expect("a role");
            self.users.insert(name.clone(), (id, account));
            self.known.insert(name.clone(), id.to_string());
        }
    }

    /// The tokens of SUBJECT. Their times are cut to the milliseconds that we keep.
    fn tokens(&mut self, all: &Value) {
        for token in all.as_array().expect("tokens") {
            let key = text(token, "key");
            let at: Instant = text(token, "creationTimestamp").parse().expect("an instant");
            let (id, at) = (text(token, "id"), UnixMillis(at.millis().0));
            let creator = self.users[text(token, "createdBy")].0;
            let secret = self.token("SUBJECT", id, text(token, "name"), at, creator);
            let given = token["labels"].as_array().expect("labels").iter();
            let given: Vec<_> = given
                .map(|label| {
                    Label::new(text(label, "name"), text(label, "value")).expect("a label")
                })
                .collect();
            labels::set(self.tx, id, &given).expect("labels");
            self.known.insert(format!("{key}.id"), id.to_owned());
            let shown = instant::show(at).to_string();
            self.known.insert(format!("{key}.creationTimestamp"), shown);
            if let Some(recorded) = token["secret"].as_str() {
                self.known.insert(recorded.to_owned(), secret);
            }
        }
    }

    fn bearers(&mut self, all: &Value) {
        for (user, recorded) in entries(all) {
            let recorded = recorded.as_str().expect("a text");
            if !self.known.contains_key(recorded) {
                let (id, of) = (TokenId::random(&self.chance).to_string(), self.users[user].0);
                let secret = self.token(user, &id, "bearer", BEFORE, of);
                self.known.insert(recorded.to_owned(), secret);
            }
            let secret = self.known[recorded].clone();
            self.known.insert(format!("bearers.{user}"), secret);
        }
    }

    /// A token; its secret.
    fn token(
        &mut self,
        user: &str,
        id: &str,
        name: &str,
        at: UnixMillis,
        creator: PrincipalId,
    ) -> String {
        let (principal, account) = self.users[user];
        let (secret, minted) = self.keys.mint(TokenKind::Api, &self.chance);
        let kept = NewSecret {
            lookup: minted.lookup,
            form: Form::Derived,
            selector: None,
            sealed: None,
            key_generation: minted.generation,
            prefix: minted.prefix.as_str().to_owned(),
            format: minted.format,
        };
        let token = NewToken {
            id: id.parse().expect("an id"),
            kind: TokenKind::Api,
            account,
            principal,
            principal_name: user.to_lowercase(),
            application: None,
            name: name.to_owned(),
            parent: None,
            minted_by: None,
            created_by: String::new(),
            created_by_id: Some(creator),
            service: None,
            created_at: at,
            expires_at: None,
            scopes: Scopes::api(creator != principal),
        };
        tokens::insert(self.tx, &token, &kept).expect("a token");
        secret.expose().to_owned()
    }
}
