//! An explanation as JSON, in whatever door it is asked for.

use claviger_domain::scope::Scope;
use claviger_service::explain::{Explanation, Told as ToldPath, ToldToken};
use serde::Serialize;

use crate::native::instant;

/// The reasons of a decision.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    /// The whole in one sentence.
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
    needs: Option<&'static str>,
    role: Option<&'static str>,
    paths: Vec<Path<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
}

/// One way by which a right comes.
#[derive(Serialize)]
pub(crate) struct Path<'a> {
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    role: &'static str,
    grants: bool,
}

#[derive(Serialize)]
pub(crate) struct Token {
    id: String,
    kind: &'static str,
    state: &'static str,
    expires: Option<String>,
    scopes: Vec<String>,
    ceiling: Option<&'static str>,
}

/// A scope with the dialect whose word it is, such as `quay:repo:read`.
pub(crate) fn scope(scope: &Scope) -> String {
    format!("{}:{}", scope.dialect, scope.word)
}

impl<'a> Path<'a> {
    /// One path.
    pub(crate) fn of(path: &'a ToldPath) -> Self {
        let ToldPath { by, team, role, grants } = path;
        Self { by, team: team.as_deref(), role, grants: *grants }
    }
}

impl Token {
    /// What is told of a token.
    pub(crate) fn of(token: &ToldToken) -> Self {
        Self {
            id: token.id.to_string(),
            kind: token.kind.as_str(),
            state: token.state,
            expires: token.expires_at.map(instant),
            scopes: token.scopes.iter().map(scope).collect(),
            ceiling: token.ceiling,
        }
    }
}

impl<'a> Told<'a> {
    /// The reasons of `explanation`.
    pub(crate) fn of(explanation: &'a Explanation) -> Self {
        Self {
            reason: &explanation.sentence,
            missing: explanation.missing,
            needs: explanation.needs,
            role: explanation.role,
            paths: explanation.paths.iter().map(Path::of).collect(),
            token: explanation.token.as_ref().map(Token::of),
        }
    }
}
