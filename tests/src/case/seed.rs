//! The state before every group: `quay_seed.json`, written into the store directly, since no door
//! can make an expired token or an unknown stored scope.

use std::collections::HashMap;

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    id::{AccountId, ApplicationId, PrincipalId, PrototypeId, RepoId, TeamId, TokenId},
    principal::PrincipalKind,
};
use claviger_service::keys::{KeyRing, Purpose};
use claviger_store::{
    Db, Query, Stmt, Tx,
    principals::{self, Principal},
};
use serde_json::Value;

use super::secrets::Secrets;
use crate::stands::SeededChance;

/// The whole seed.
pub fn read() -> Value {
    serde_json::from_str(include_str!("../../cases/quay_seed.json")).expect("the seed is JSON")
}

const ACCOUNT: Stmt = Stmt::same("SELECT id FROM account ORDER BY seq LIMIT 1");
const TEAM: Stmt = Stmt::same(
    "INSERT INTO team (id, org_id, name, role, description, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const MEMBER: Stmt =
    Stmt::same("INSERT INTO team_member (team_id, principal_id, created_at) VALUES ($1, $2, $3)");
const INVITE: Stmt =
    Stmt::same("INSERT INTO team_invite (team_id, principal_id, created_at) VALUES ($1, $2, $3)");
const REPOSITORY: Stmt = Stmt::same(
    "INSERT INTO repository (id, namespace_id, name, visibility, state, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const PERMISSION: Stmt = Stmt::same(
    "INSERT INTO permission (repo_id, principal_id, team_id, role, created_at)
     VALUES ($1, $2, $3, $4, $5)",
);
const PROTOTYPE: Stmt = Stmt::same(
    "INSERT INTO prototype (id, org_id, activating_id, principal_id, team_id, role)
     VALUES ($1, $2, $3, $4, $5, $6)",
);
const APPLICATION: Stmt = Stmt::same(
    "INSERT INTO application (id, client_id, org_id, name, redirect_uri, application_uri,
        description, secret_lookup, secret_sealed, secret_key_generation, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
);
const ASSIGNMENT: Stmt = Stmt::same(
    "INSERT INTO oauth_assignment (id, application_id, principal_id, redirect_uri, scope,
        response_type, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
);
const TOKEN: Stmt = Stmt::same(
    "INSERT INTO token (id, kind, account_id, principal_id, principal_name, application_id, name,
        created_by, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $5, $8, $9)",
);
const SCOPE: Stmt =
    Stmt::same("INSERT INTO token_scope (token_id, dialect, word) VALUES ($1, $2, $3)");
const SECRET: Stmt = Stmt::same(
    "INSERT INTO secret (lookup, token_id, form, selector, key_generation, prefix, format,
        created_at)
     VALUES ($1, $2, 'derived', $3, $4, $5, $6, $7)",
);

/// Writes the seed. Every user's password is the one hashed in `password`; the answer is our
/// secrets for those of the seed.
pub async fn write(db: &Db, keys: KeyRing, password: String, now: UnixMillis) -> Secrets {
    db.write(move |tx| {
        let account = tx.optional(&ACCOUNT, &[])?.expect("an installed store").parse(0)?;
        let mut seeder = Seeder {
            tx,
            keys,
            chance: SeededChance::new(0x5eed),
            account,
            password,
            now,
            principals: HashMap::new(),
            teams: HashMap::new(),
            applications: HashMap::new(),
            secrets: Secrets::default(),
        };
        seeder.all(&read())?;
        Ok(seeder.secrets)
    })
    .await
    .expect("the seed is written")
}

struct Seeder<'a, 'b> {
    tx: &'a mut Tx<'b>,
    keys: KeyRing,
    chance: SeededChance,
    account: AccountId,
    password: String,
    now: UnixMillis,
    principals: HashMap<String, PrincipalId>,
    teams: HashMap<(String, String), TeamId>,
    applications: HashMap<String, ApplicationId>,
    secrets: Secrets,
}

/// What a token of the seed is.
struct NewToken<'a> {
    id: TokenId,
    kind: TokenKind,
    of: &'a str,
    name: &'a str,
    application: Option<ApplicationId>,
    scopes: Vec<(&'a str, &'a str)>,
    expires_in_s: Option<i64>,
    recorded: &'a str,
}

impl Seeder<'_, '_> {
    fn all(&mut self, seed: &Value) -> Result<(), Error> {
        for user in list(seed, "users") {
            let mut made = self.principal(PrincipalKind::User, text(user, "username"));
            made.email = Some(text(user, "email").to_owned());
            made.password_hash = Some(self.password.clone());
            made.password_changed_at = Some(self.now);
            made.verified_at = (user["verified"] == true).then_some(self.now);
            made.disabled_at = (user["enabled"] == false).then_some(self.now);
            principals::insert(self.tx, &made)?;
        }
        for organization in list(seed, "organizations") {
            let mut made = self.principal(PrincipalKind::Org, text(organization, "name"));
            made.email = Some(text(organization, "email").to_owned());
            principals::insert(self.tx, &made)?;
        }
        for robot in list(seed, "robots") {
            self.robot(text(robot, "name"), text(robot, "token"), text(robot, "email"))?;
        }
        for organization in list(seed, "organizations") {
            for team in list(organization, "teams") {
                self.team(text(organization, "name"), team)?;
            }
        }
        for repository in list(seed, "repositories") {
            self.repository(repository)?;
        }
        for prototype in list(seed, "prototypes") {
            self.prototype(prototype)?;
        }
        for application in list(seed, "oauth_applications") {
            self.application(application)?;
        }
        for assignment in list(seed, "oauth_assignments") {
            self.assignment(assignment)?;
        }
        for token in list(seed, "oauth_tokens") {
            let id = TokenId::random(&self.chance);
            let application = Some(self.applications[text(token, "client_id")]);
            // a set is words with blanks or commas between, known or not
            let words = text(token, "scope").split([' ', ',']).map(|word| ("quay", word)).collect();
            self.token(&NewToken {
                id,
                kind: TokenKind::Oauth,
                of: text(token, "user"),
                name: "",
                application,
                scopes: words,
                expires_in_s: token["expires_in"].as_i64(),
                recorded: text(token, "token"),
            })?;
        }
        for token in list(seed, "app_specific_tokens") {
            self.token(&NewToken {
                id: text(token, "uuid").parse().expect("an id"),
                kind: TokenKind::App,
                of: text(token, "user"),
                name: text(token, "title"),
                application: None,
                scopes: vec![("native", "registry")],
                expires_in_s: token["expires_in_s"].as_i64(),
                recorded: text(token, "token_code"),
            })?;
        }
        Ok(())
    }

    fn principal(&mut self, kind: PrincipalKind, name: &str) -> Principal {
        let id = PrincipalId::random(&self.chance);
        self.principals.insert(name.to_owned(), id);
        Principal::new(id, self.account, kind, name, self.now)
    }

    fn robot(&mut self, name: &str, recorded: &str, avatar_key: &str) -> Result<(), Error> {
        let (owner, _) = name.split_once('+').expect("a robot's name");
        let mut made = self.principal(PrincipalKind::Robot, name);
        made.owner = Some(self.principals[owner]);
        made.avatar_key = Some(avatar_key.to_owned());
        principals::insert(self.tx, &made)?;
        let id = TokenId::random(&self.chance);
        self.token(&NewToken {
            id,
            kind: TokenKind::Robot,
            of: name,
            name: "",
            application: None,
            scopes: vec![("native", "registry")],
            expires_in_s: None,
            recorded,
        })
    }

    fn team(&mut self, organization: &str, team: &Value) -> Result<(), Error> {
        let id = TeamId::random(&self.chance);
        let (name, org) = (text(team, "name"), self.principals[organization]);
        self.teams.insert((organization.to_owned(), name.to_owned()), id);
        let (role, description) = (text(team, "role"), text(team, "description"));
        let params = [
            (&id).into(),
            (&org).into(),
            name.into(),
            role.into(),
            description.into(),
            self.now.into(),
        ];
        self.tx.execute(&TEAM, &params)?;
        for (who, statement) in [("members", MEMBER), ("pending_invites", INVITE)] {
            for name in list(team, who) {
                let member = self.principals[name.as_str().expect("a name")];
                let params = [(&id).into(), (&member).into(), self.now.into()];
                self.tx.execute(&statement, &params)?;
            }
        }
        Ok(())
    }

    fn repository(&mut self, repository: &Value) -> Result<(), Error> {
        let id = RepoId::random(&self.chance);
        let namespace = text(repository, "namespace");
        let name = format!("{namespace}/{}", text(repository, "name"));
        let params = [
            (&id).into(),
            (&self.principals[namespace]).into(),
            (&name).into(),
            text(repository, "visibility").into(),
            text(repository, "state").into(),
            self.now.into(),
        ];
        self.tx.execute(&REPOSITORY, &params)?;
        for permission in list(repository, "permissions") {
            let (principal, team) = self.grantee(namespace, permission, "user", "team");
            let params = [
                (&id).into(),
                principal.as_ref().into(),
                team.as_ref().into(),
                text(permission, "role").into(),
                self.now.into(),
            ];
            self.tx.execute(&PERMISSION, &params)?;
        }
        Ok(())
    }

    /// A user or a team, under whichever key there is.
    fn grantee(
        &self,
        organization: &str,
        of: &Value,
        user: &str,
        team: &str,
    ) -> (Option<PrincipalId>, Option<TeamId>) {
        let team = of[team].as_str().map(|name| (organization.to_owned(), name.to_owned()));
        (of[user].as_str().map(|name| self.principals[name]), team.map(|team| self.teams[&team]))
    }

    fn prototype(&mut self, prototype: &Value) -> Result<(), Error> {
        let id: PrototypeId = text(prototype, "id").parse().expect("an id");
        let organization = text(prototype, "organization");
        let activating = prototype["activating_user"].as_str().map(|name| self.principals[name]);
        let delegate = &prototype["delegate"];
        let (user_key, team_key) =
            if delegate["kind"] == "team" { ("", "name") } else { ("name", "") };
        let (principal, team) = self.grantee(organization, delegate, user_key, team_key);
        let params = [
            (&id).into(),
            (&self.principals[organization]).into(),
            activating.as_ref().into(),
            principal.as_ref().into(),
            team.as_ref().into(),
            text(prototype, "role").into(),
        ];
        self.tx.execute(&PROTOTYPE, &params).map(drop).map_err(Into::into)
    }

    fn application(&mut self, application: &Value) -> Result<(), Error> {
        let id = ApplicationId::random(&self.chance);
        let (client_id, secret) =
            (text(application, "client_id"), text(application, "client_secret"));
        self.applications.insert(client_id.to_owned(), id);
        let hash = self.keys.keyed_hash(Purpose::ClientSecret, secret);
        let sealed = self.keys.seal(&id.text(), secret.as_bytes(), &self.chance)?;
        let params = [
            (&id).into(),
            client_id.into(),
            (&self.principals[text(application, "organization")]).into(),
            text(application, "name").into(),
            text(application, "redirect_uri").into(),
            text(application, "application_uri").into(),
            application["description"].as_str().unwrap_or_default().into(),
            (&hash.lookup).into(),
            sealed.bytes.as_slice().into(),
            i64::from(hash.generation).into(),
            self.now.into(),
        ];
        self.tx.execute(&APPLICATION, &params).map(drop).map_err(Into::into)
    }

    fn assignment(&mut self, assignment: &Value) -> Result<(), Error> {
        let params = [
            text(assignment, "uuid").into(),
            (&self.applications[text(assignment, "client_id")]).into(),
            (&self.principals[text(assignment, "user")]).into(),
            text(assignment, "redirect_uri").into(),
            text(assignment, "scope").into(),
            text(assignment, "response_type").into(),
            self.now.into(),
        ];
        self.tx.execute(&ASSIGNMENT, &params).map(drop).map_err(Into::into)
    }

    fn token(&mut self, token: &NewToken<'_>) -> Result<(), Error> {
        let (text, secret) = self.keys.mint(token.kind, &self.chance);
        let expires_at = token.expires_in_s.map(|seconds| self.now.plus_ms(seconds * 1000));
        let params = [
            (&token.id).into(),
            token.kind.as_str().into(),
            (&self.account).into(),
            (&self.principals[token.of]).into(),
            token.of.into(),
            token.application.as_ref().into(),
            token.name.into(),
            self.now.into(),
            expires_at.into(),
        ];
        self.tx.execute(&TOKEN, &params)?;
        for (dialect, word) in &token.scopes {
            self.tx.execute(&SCOPE, &[(&token.id).into(), (*dialect).into(), (*word).into()])?;
        }
        let params = [
            (&secret.lookup).into(),
            (&token.id).into(),
            secret.selector.as_ref().map(|selector| selector.as_bytes().as_slice()).into(),
            i64::from(secret.generation).into(),
            secret.prefix.as_str().into(),
            i64::from(secret.format).into(),
            self.now.into(),
        ];
        self.tx.execute(&SECRET, &params)?;
        self.secrets.insert(token.recorded, text.expose());
        Ok(())
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}
