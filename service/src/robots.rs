//! Robots: the machines of a user or an organisation, each with one live token.
//!
//! A robot's secret is shown again to whoever administers its namespace by a right of his own, and
//! each time the audit says so; a superuser alone does not see it.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.5 and 9.2; `SECURITY.md`
//! section 1.

use std::collections::HashMap;

use claviger_domain::{
    BadCredential, Conflict, Error, TokenKind, UnixMillis,
    id::{AccountId, PrincipalId, TokenId},
    lifetime::{Beyond, Wish},
    name::{Description, RobotName},
    principal::PrincipalKind,
    role::OrgRole,
    scope::Scopes,
    secret::{GivenSecret, TokenSecret},
};
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    endings::{self, Ending},
    principals::{self, Principal},
    robots,
    tokens::{self, Kept, NewToken},
};
pub use claviger_store::{robots::Robot, teams::OnRepo};

use crate::{
    app::App,
    caller::{Caller, Origin},
    lifetimes,
    minting::Coming,
    still::Right,
};

/// The namespace whose robots somebody may manage; made by [`App::own_robots`] and
/// [`App::organisation_robots`] alone.
#[derive(Clone, Debug)]
pub struct RobotHome {
    owner: PrincipalId,
    account: AccountId,
    name: String,
    /// What was shown.
    right: Right,
    /// Whether he may see secrets that he has not just made.
    reveals: bool,
}

impl RobotHome {
    /// The name of the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What a list of robots holds beside their names.
#[derive(Clone, Copy, Debug)]
pub struct RobotDetails {
    /// Their secrets.
    pub secrets: bool,
    /// Their teams and repositories.
    pub permissions: bool,
    /// How many at the most; `None`: all.
    pub limit: Option<i64>,
}

/// A robot to be made.
#[derive(Debug)]
pub struct NewRobot {
    /// Its full name.
    pub name: RobotName,
    /// What is said of it.
    pub description: Description,
    /// A JSON object to be kept with it.
    pub metadata: Option<String>,
    /// Its secret, where that is brought along; else one is drawn.
    pub secret: Option<GivenSecret>,
}

/// A robot, as it is shown.
#[derive(Debug)]
pub struct RobotView {
    /// The robot.
    pub robot: Robot,
    /// Its secret, where it is asked for and may be shown.
    pub secret: Option<TokenSecret>,
    /// The names of its teams, where they are asked for.
    pub teams: Vec<String>,
    /// The names of the repositories, inside the namespace, on which it has a permission.
    pub repositories: Vec<String>,
}

/// A secret that is being made.
struct Fresh {
    id: TokenId,
    coming: Coming,
}

impl App {
    /// The robots of the caller himself.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody or a robot, [`Error::Denied`] when his credential may
    /// not change his account.
    pub fn own_robots(&self, caller: Option<&Caller>) -> Result<RobotHome, Error> {
        let caller = caller.ok_or(Error::Unauthenticated)?;
        caller.must_be_own_admin()?;
        let principal = &caller.principal;
        Ok(RobotHome {
            owner: principal.id,
            account: principal.account,
            name: principal.name.to_string(),
            right: Right::Himself,
            reveals: true,
        })
    }

    /// The robots of the organisation `name`, for whoever administers it.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`]; [`Error::NotFound`] for a user's name.
    pub async fn organisation_robots(
        &self,
        caller: Option<&Caller>,
        name: &str,
    ) -> Result<RobotHome, Error> {
        let permit = self.permit_organisation(caller, name).await?;
        let seat = self.seat(caller, name).await?;
        Ok(RobotHome {
            owner: permit.on().id,
            account: self.account_of(permit.on().id).await?,
            name: name.to_owned(),
            right: permit.right(),
            reveals: seat.own_role == Some(OrgRole::Admin),
        })
    }

    async fn account_of(&self, id: PrincipalId) -> Result<AccountId, Error> {
        let facts = self.facts.principal(&self.db, id).await?;
        facts.map(|facts| facts.account).ok_or(Error::NotFound("organization"))
    }

    /// The robots of an organisation, for anybody who belongs to it; secrets and permissions only
    /// for who administers it.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`]; [`Error::NotFound`] for a user's name.
    pub async fn list_organisation_robots(
        &self,
        caller: &Caller,
        name: &str,
        details: RobotDetails,
        origin: &Origin,
    ) -> Result<Vec<RobotView>, Error> {
        let seat = match self.seat(Some(caller), name).await {
            // his own name is an answer, another's is none
            Err(Error::NotFound(_)) => {
                return Err(match self.permit_organisation(Some(caller), name).await {
                    Err(error) => error,
                    Ok(_) => Error::NotFound("organization"),
                });
            }
            seat => seat?,
        };
        if seat.role.is_none() && !seat.looks {
            return Err(Error::denied("see", name));
        }
        let home = RobotHome {
            owner: seat.org,
            account: caller.principal.account,
            name: name.to_owned(),
            // to be looked at, not to be changed
            right: Right::Himself,
            reveals: seat.own_role == Some(OrgRole::Admin),
        };
        let details = RobotDetails {
            secrets: details.secrets && seat.is_admin(),
            permissions: details.permissions && (seat.is_admin() || seat.looks),
            ..details
        };
        self.list_robots(&home, caller, details, origin).await
    }

    /// The robots of a namespace, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_robots(
        &self,
        home: &RobotHome,
        caller: &Caller,
        details: RobotDetails,
        origin: &Origin,
    ) -> Result<Vec<RobotView>, Error> {
        let (now, owner) = (self.now(), home.owner);
        let limit = details.limit.unwrap_or(i64::MAX);
        let (found, kept, mut teams, mut repositories) = self
            .db
            .read(move |q| {
                let found = robots::of(q, &owner, limit)?;
                // of several secrets the newest, which comes last
                let kept: HashMap<_, _> = robots::secrets(q, &owner, now)?.into_iter().collect();
                let (mut teams, mut repositories) = (HashMap::new(), HashMap::new());
                if details.permissions {
                    teams = by_robot(robots::teams(q, &owner)?);
                    repositories = by_robot(robots::repositories(q, &owner)?);
                }
                Ok((found, kept, teams, repositories))
            })
            .await?;
        let shows = details.secrets && home.reveals && self.may_see_again(caller);
        let mut views = Vec::with_capacity(found.len());
        for mut robot in found {
            let id = robot.face.id;
            let kept = kept.get(&id);
            self.add_pending_use(&mut robot, kept);
            let secret = match kept.filter(|_| shows) {
                Some(kept) => self.secret_again(TokenKind::Robot, kept)?,
                None => None,
            };
            views.push(RobotView {
                robot,
                secret,
                teams: teams.remove(&id).unwrap_or_default(),
                repositories: repositories.remove(&id).unwrap_or_default(),
            });
        }
        if views.iter().any(|view| view.secret.is_some()) {
            let (actor, name) = (caller.actor(origin), home.name.clone());
            self.db
                .write(move |tx| {
                    let act = Act::done("reveal_robot_tokens", "namespace", &name);
                    Ok(audit::append(tx, now, &actor, &act.namespace(&name))?)
                })
                .await?;
        }
        Ok(views)
    }

    /// One robot, with its secret where that may be shown.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn robot(
        &self,
        home: &RobotHome,
        caller: &Caller,
        short: &str,
        origin: &Origin,
    ) -> Result<RobotView, Error> {
        let (now, owner, name) = (self.now(), home.owner, home.full(short));
        let (mut robot, kept) = self
            .db
            .read(move |q| {
                let robot = robots::find(q, &owner, &name)?.ok_or(Error::NotFound("robot"))?;
                let kept = tokens::kept(q, &robot.face.id, TokenKind::Robot, now)?;
                Ok((robot, kept.into_iter().next()))
            })
            .await?;
        self.add_pending_use(&mut robot, kept.as_ref());
        let shows = home.reveals && self.may_see_again(caller);
        let secret = match kept.filter(|_| shows) {
            Some(kept) => self.secret_again(TokenKind::Robot, &kept)?,
            None => None,
        };
        if secret.is_some() {
            self.note(home, caller, "reveal_robot_token", &robot, origin).await?;
        }
        Ok(RobotView { robot, secret, teams: Vec::new(), repositories: Vec::new() })
    }

    /// Makes a robot with its secret.
    ///
    /// # Errors
    /// [`BadCredential::RobotsDisallowed`], [`Conflict::RobotExists`]; for a secret that is brought
    /// along [`Error::Invalid`] and [`Conflict::SecretTaken`].
    pub async fn create_robot(
        &self,
        home: &RobotHome,
        caller: &Caller,
        new: NewRobot,
        origin: &Origin,
    ) -> Result<RobotView, Error> {
        if !self.settings.quay.admits_robot(new.name.as_str()) {
            return Err(BadCredential::RobotsDisallowed.into());
        }
        let (now, actor, home) = (self.now(), caller.actor(origin), home.clone());
        let id = PrincipalId::random(self.chance());
        let given = new.secret.is_some();
        let (secret, fresh) = self.fresh_secret(new.secret)?;
        let robot = self
            .write_as(caller, home.right.clone(), move |tx| {
                principals::find(tx, &home.owner)?.ok_or(Error::NotFound("organization"))?;
                let name = new.name.as_str();
                if principals::find_by_name(tx, name)?.is_some() {
                    return Err(Conflict::RobotExists(name.to_owned()).into());
                }
                let robot = Principal {
                    owner: Some(home.owner),
                    description: new.description.as_str().to_owned(),
                    metadata: new.metadata,
                    avatar_key: Some(PrincipalId::random(tx.chance()).to_string()),
                    ..Principal::new(id, home.account, PrincipalKind::Robot, name, now)
                };
                principals::insert(tx, &robot)?;
                fresh.insert(tx, &robot, &actor, now)?;
                let act = Act::done("create_robot", "robot", name).id(&id);
                let note = given.then_some(r#"{"token":"given"}"#);
                audit::append(tx, now, &actor, &act.namespace(&home.name).change(None, note))?;
                robots::find(tx, &home.owner, name)?.ok_or(Error::NotFound("robot"))
            })
            .await?;
        let (teams, repositories) = (Vec::new(), Vec::new());
        Ok(RobotView { robot, secret: Some(secret), teams, repositories })
    }

    /// Ends a robot's secret and makes another.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn regenerate_robot(
        &self,
        home: &RobotHome,
        caller: &Caller,
        short: &str,
        origin: &Origin,
    ) -> Result<RobotView, Error> {
        let (now, actor, name) = (self.now(), caller.actor(origin), home.full(short));
        let home = home.clone();
        let (secret, fresh) = self.fresh_secret(None)?;
        let robot = self
            .write_as(caller, home.right.clone(), move |tx| {
                let robot = home.principal(tx, &name)?;
                let ending = Ending { now, by: &actor.name, reason: "regenerated" };
                tokens::revoke_kind(tx, &robot.id, TokenKind::Robot, &ending)?;
                fresh.insert(tx, &robot, &actor, now)?;
                let act = Act::done("regenerate_robot_token", "robot", &name);
                let act = act.id(&robot.id).namespace(&home.name);
                audit::append(tx, now, &actor, &act)?;
                robots::find(tx, &home.owner, &name)?.ok_or(Error::NotFound("robot"))
            })
            .await?;
        let (teams, repositories) = (Vec::new(), Vec::new());
        Ok(RobotView { robot, secret: Some(secret), teams, repositories })
    }

    /// Ends a robot.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_robot(
        &self,
        home: &RobotHome,
        caller: &Caller,
        short: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, name) = (self.now(), caller.actor(origin), home.full(short));
        let home = home.clone();
        self.write_as(caller, home.right.clone(), move |tx| {
            let robot = home.principal(tx, &name)?;
            let ending = Ending { now, by: &actor.name, reason: "robot deleted" };
            endings::delete(tx, &robot, None, &ending)?;
            let act = Act::done("delete_robot", "robot", &name);
            let act = act.id(&robot.id).namespace(&home.name);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// The permissions of a robot.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn permissions_of_robot(
        &self,
        home: &RobotHome,
        short: &str,
    ) -> Result<Vec<OnRepo>, Error> {
        let (owner, name) = (home.owner, home.full(short));
        self.db
            .read(move |q| {
                let robot = robots::find(q, &owner, &name)?.ok_or(Error::NotFound("robot"))?;
                Ok(robots::permissions(q, &robot.face.id)?)
            })
            .await
    }

    fn fresh_secret(&self, given: Option<GivenSecret>) -> Result<(TokenSecret, Fresh), Error> {
        let id = self.new_token_id();
        let (secret, coming) = match given {
            Some(given) => self.given(&id, given)?,
            None => self.drawn(TokenKind::Robot),
        };
        Ok((secret, Fresh { id, coming }))
    }

    /// What was used a moment ago is not in the store yet.
    fn add_pending_use(&self, robot: &mut Robot, kept: Option<&Kept>) {
        let pending = kept.and_then(|kept| self.activity.pending(&kept.token));
        robot.last_used_at = robot.last_used_at.max(pending.map(|last| last.at));
    }

    async fn note(
        &self,
        home: &RobotHome,
        caller: &Caller,
        act: &'static str,
        robot: &Robot,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, home) = (self.now(), caller.actor(origin), home.name.clone());
        let (id, name) = (robot.face.id, robot.face.name.clone());
        self.db
            .write(move |tx| {
                let act = Act::done(act, "robot", &name).id(&id).namespace(&home);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await
    }
}

fn by_robot(all: Vec<robots::Belonging>) -> HashMap<PrincipalId, Vec<String>> {
    let mut grouped = HashMap::<_, Vec<String>>::new();
    for robots::Belonging { robot, to } in all {
        grouped.entry(robot).or_default().push(to);
    }
    grouped
}

impl RobotHome {
    fn full(&self, short: &str) -> String {
        format!("{}+{short}", self.name)
    }

    fn principal(&self, tx: &mut Tx<'_>, name: &str) -> Result<Principal, Error> {
        let found = principals::find_by_name(tx, name)?;
        let found = found.filter(|robot| robot.owner == Some(self.owner));
        found.ok_or(Error::NotFound("robot"))
    }
}

impl Fresh {
    /// Gives the secret to `robot`.
    fn insert(
        &self,
        tx: &mut Tx<'_>,
        robot: &Principal,
        by: &Actor,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let token = NewToken {
            id: self.id,
            kind: TokenKind::Robot,
            account: robot.account,
            principal: robot.id,
            principal_name: robot.name.clone(),
            application: None,
            name: robot.name.clone(),
            parent: None,
            minted_by: by.token(),
            created_by: by.name.clone(),
            created_by_id: by.id,
            service: None,
            created_at: now,
            expires_at: None,
            scopes: Scopes::registry(),
        };
        // it never ends, save that the policy says so
        let token = lifetimes::limited(tx, token, Wish::default(), Beyond::Shorten)?;
        self.coming.make_way(tx, now)?;
        Ok(tokens::insert(tx, &token, &self.coming.secret)?)
    }
}
