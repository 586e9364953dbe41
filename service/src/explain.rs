//! Why somebody may do something, or why not: the decision told with names, and in one sentence.
//!
//! The reasons come from `domain::access`, of the walk that decides. Here ids get names, and what
//! the caller may not know is left out: who asks about himself does not learn whether a repository
//! that nothing opens to him exists, and who administers a repository does not learn why somebody
//! may not act at all.

use std::{fmt::Write as _, sync::Arc};

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    access::{Bar, Missing, Path, explain_org},
    id::TokenId,
    principal::TeamFacts,
    role::{Action, OrgAction, OrgRole, RepoState, Role},
    scope::Scopes,
    token::{TokenFacts, TokenState},
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    questions::{Insight, Matter, Object, Question, Subject},
};

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub allowed: bool,
    /// The whole in one sentence.
    pub sentence: String,
    /// The weakest role that permits the action; `None` for an action that there is not.
    pub needs: Option<&'static str>,
    /// The role that he has after all.
    pub role: Option<&'static str>,
    /// Every path that reaches him, before the credential's ceiling.
    pub paths: Vec<Told>,
    /// The token that he comes with.
    pub token: Option<ToldToken>,
    /// What is missing, when it is refused: a word that does not change.
    pub missing: Option<&'static str>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `permission`, `team`, `team_role`, `namespace`, `public`, `superuser`, `reads_everything`.
    pub by: &'static str,
    /// The team, `organisation/team`.
    pub team: Option<String>,
    /// The role that it gives.
    pub role: &'static str,
    /// Whether that role permits the action.
    pub grants: bool,
}

/// A token, as its explanation tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldToken {
    /// Its id.
    pub id: TokenId,
    /// What it is.
    pub kind: TokenKind,
    /// `live`, `expired`, `revoked`.
    pub state: &'static str,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
    /// Its scopes.
    pub scopes: Scopes,
    /// The highest role that they leave.
    pub ceiling: Option<&'static str>,
}

/// The reasons in the words of either kind of object.
struct Reasons {
    missing: Option<Missing>,
    role: Option<&'static str>,
    needs: &'static str,
    paths: Vec<Told>,
    ceiling: Option<&'static str>,
}

impl App {
    /// The answer to `question` with its reasons. It is counted and noted as [`App::ask`] does.
    ///
    /// # Errors
    /// [`Error::Denied`] when `caller` may not ask this; [`Error::Unavailable`].
    pub async fn explain(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        origin: &Origin,
    ) -> Result<Explanation, Error> {
        let matter = self.matter(caller, question).await?;
        let explanation = tell(&matter, question, self.now());
        self.record(caller, question, explanation.allowed, origin);
        Ok(explanation)
    }
}

/// Tells the answer, as far as the caller may know it.
pub(crate) fn tell(matter: &Matter, question: &Question<'_>, now: UnixMillis) -> Explanation {
    let Some(reasons) = reasons(matter, question) else {
        let sentence = format!("there is no action `{}` on this", question.action);
        let token = told_token(matter, None, now);
        return Explanation {
            allowed: false,
            sentence,
            needs: None,
            role: None,
            paths: Vec::new(),
            token,
            missing: Some("action"),
        };
    };
    let missing = reasons.missing.map(|missing| seen(missing, matter.insight));
    Explanation {
        allowed: missing.is_none(),
        sentence: sentence(&reasons, missing, question),
        needs: Some(reasons.needs),
        role: reasons.role,
        token: told_token(matter, reasons.ceiling, now),
        missing: missing.map(word),
        paths: reasons.paths,
    }
}

/// The role after all, and every way by which a right comes.
pub(crate) fn ways(matter: &Matter, question: &Question<'_>) -> (Option<&'static str>, Vec<Told>) {
    reasons(matter, question).map_or((None, Vec::new()), |found| (found.role, found.paths))
}

fn reasons(matter: &Matter, question: &Question<'_>) -> Option<Reasons> {
    let gathered = &matter.gathered;
    let teams = &*gathered.teams;
    match question.object {
        Object::Repository(name) => {
            let action = question.action.parse::<Action>().ok()?;
            let answer = matter.case().explain(action);
            let namespace = name.split('/').next().unwrap_or_default();
            let told = |path, role: Role| {
                told(path, role.as_str(), role >= answer.needs, namespace, teams)
            };
            Some(Reasons {
                missing: answer.missing,
                role: answer.role.map(Role::as_str),
                needs: answer.needs.as_str(),
                paths: answer.paths.iter().map(|reason| told(reason.path, reason.role)).collect(),
                ceiling: gathered.caps.repo.map(Role::as_str),
            })
        }
        Object::Organisation(name) => {
            let action = question.action.parse::<OrgAction>().ok()?;
            let ceiling = gathered.caps.org.map(OrgRole::as_str);
            let nothing = |missing| Reasons {
                missing: Some(missing),
                role: None,
                needs: action.needs().as_str(),
                paths: Vec::new(),
                ceiling,
            };
            if let Some(bar) = matter.bar {
                return Some(nothing(Missing::Barred(bar)));
            }
            let Some(org) = matter.organisation() else { return Some(nothing(Missing::Object)) };
            let answer = explain_org(&gathered.asker(), org, action);
            let told =
                |path, role: OrgRole| told(path, role.as_str(), role >= answer.needs, name, teams);
            Some(Reasons {
                missing: answer.missing,
                role: answer.role.map(OrgRole::as_str),
                paths: answer.paths.iter().map(|reason| told(reason.path, reason.role)).collect(),
                ..nothing(Missing::Path)
            })
        }
        Object::Unknown => None,
    }
}

fn told(
    path: Path,
    role: &'static str,
    grants: bool,
    namespace: &str,
    teams: &[Arc<TeamFacts>],
) -> Told {
    let named = |id| {
        let team = teams.iter().find(|team| team.id == id);
        team.map(|team| format!("{namespace}/{}", team.name))
    };
    let (by, team) = match path {
        Path::Direct => ("permission", None),
        Path::Team(id) => ("team", named(id)),
        Path::NamespaceOwner => ("namespace", None),
        Path::TeamRole(id) => ("team_role", named(id)),
        Path::Public => ("public", None),
        Path::Superuser => ("superuser", None),
        Path::GlobalReadOnly => ("reads_everything", None),
    };
    Told { by, team, role, grants }
}

/// What the caller may know of what is missing.
fn seen(missing: Missing, insight: Insight) -> Missing {
    match (insight, missing) {
        // whether it exists is no matter of who cannot open it
        (Insight::Own, Missing::Object) => Missing::Path,
        // neither is what somebody else's token or account is like
        (Insight::Administers, Missing::Barred(_)) => Missing::Barred(Bar::PrincipalGone),
        (_, missing) => missing,
    }
}

fn told_token(
    matter: &Matter,
    ceiling: Option<&'static str>,
    now: UnixMillis,
) -> Option<ToldToken> {
    let TokenFacts { id, kind, expires_at, ref scopes, .. } =
        ***matter.token.as_ref().filter(|_| matter.insight != Insight::Administers)?;
    let state = match matter.token.as_ref()?.state(now) {
        TokenState::Live => "live",
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
    };
    Some(ToldToken { id, kind, state, expires_at, scopes: scopes.clone(), ceiling })
}

/// The word for what is missing.
fn word(missing: Missing) -> &'static str {
    match missing {
        Missing::Barred(bar) => match bar {
            Bar::TokenExpired => "token_expired",
            Bar::TokenRevoked => "token_revoked",
            Bar::PrincipalGone | Bar::Organisation => "subject",
            Bar::PrincipalDisabled => "subject_disabled",
            Bar::OwnerDisabled => "owner_disabled",
            Bar::RobotsDisallowed => "robots_disallowed",
        },
        Missing::Object => "resource",
        Missing::Namespace => "namespace_disabled",
        Missing::Path => "path",
        Missing::Role => "role",
        Missing::Ceiling => "scope",
        Missing::State(_) => "state",
    }
}

/// Who, in a sentence.
fn named(subject: Subject<'_>) -> String {
    match subject {
        Subject::User(name) | Subject::Robot(name) => format!("`{name}`"),
        Subject::Token(id) if id.parse::<TokenId>().is_ok() => format!("the token `{id}`"),
        Subject::Token(_) => "the token".to_owned(),
        Subject::Unknown => "this subject".to_owned(),
    }
}

fn sentence(reasons: &Reasons, missing: Option<Missing>, question: &Question<'_>) -> String {
    let who = named(question.subject);
    let (what, on) = match question.object {
        Object::Repository(name) => ("repository", name),
        Object::Organisation(name) => ("organization", name),
        Object::Unknown => ("resource", ""),
    };
    let action = question.action;
    let verb = if action == "create" { "create repositories in" } else { action };
    let Some(missing) = missing else {
        let ways = reasons.paths.iter().filter(|path| path.grants).map(way);
        let ways = ways.collect::<Vec<_>>().join("; ");
        return format!("{who} may {verb} `{on}`: {ways}");
    };
    let mut text = format!("{who} may not {verb} `{on}`: ");
    let needs = reasons.needs;
    let best = reasons.paths.iter().map(|path| path.role).collect::<Vec<_>>().join(", ");
    let _ = match missing {
        Missing::Barred(bar) => text.write_str(match bar {
            Bar::TokenExpired => "the token has expired",
            Bar::TokenRevoked => "the token was revoked",
            Bar::PrincipalGone | Bar::Organisation => {
                "there is no such subject, or it may not act at the moment"
            }
            Bar::PrincipalDisabled => "it is disabled",
            Bar::OwnerDisabled => "the owner of the robot is disabled",
            Bar::RobotsDisallowed => "robots may not act here",
        }),
        Missing::Object => write!(text, "there is no such {what}"),
        Missing::Namespace => text.write_str("the owner of the namespace is disabled"),
        Missing::Path => text.write_str("nothing gives a right on it"),
        Missing::Role => write!(text, "the role {needs} is needed, and there is only {best}"),
        Missing::Ceiling => match reasons.ceiling {
            Some(ceiling) => {
                write!(
                    text,
                    "the role {needs} is needed, and the scopes of the token end at {ceiling}"
                )
            }
            None => text.write_str("the scopes of the token do not reach it"),
        },
        Missing::State(state) => match state {
            RepoState::Mirror => text.write_str("the repository is a mirror"),
            RepoState::ReadOnly | RepoState::Normal => {
                text.write_str("the repository is read-only")
            }
        },
    };
    text
}

/// How a right comes, in a sentence.
fn way(path: &Told) -> String {
    let Told { by, team, role, .. } = path;
    let team = team.as_deref().unwrap_or_default();
    match *by {
        "permission" => format!("it has the permission {role}"),
        "team" => format!("its team `{team}` has the permission {role}"),
        "team_role" => format!("its team `{team}` has the role {role} in the organization"),
        "namespace" => "the namespace is its own".to_owned(),
        "public" => "the repository is public".to_owned(),
        "superuser" => "superusers have every right here".to_owned(),
        _ => "it may read everything".to_owned(),
    }
}
