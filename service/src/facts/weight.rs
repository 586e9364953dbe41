//! What a fact weighs, so that the bound on memory holds.

use std::{mem::size_of, sync::Arc};

use claviger_domain::{
    access::{Grant, RepoAcl},
    id::{PrincipalId, TeamId},
    principal::{PrincipalFacts, TeamFacts, TeamOf},
    scope::Scope,
    token::TokenFacts,
};
use quick_cache::Weighter;

use super::{Lookup, name::Name};

/// Weighs facts in bytes, roughly, so that the bound on memory holds.
#[derive(Clone)]
pub(super) struct Bytes;

/// What an entry costs beside its value: the key, the slot, the allocation.
const ENTRY: u64 = 160;

fn bytes(size: usize, more: usize) -> u64 {
    ENTRY + u64::try_from(size + more).unwrap_or(u64::MAX / 2)
}

impl Weighter<Lookup, Arc<TokenFacts>> for Bytes {
    fn weight(&self, _: &Lookup, token: &Arc<TokenFacts>) -> u64 {
        let scopes = token.scopes.iter().map(|s| size_of::<Scope>() + s.word.len()).sum();
        bytes(size_of::<TokenFacts>(), scopes)
    }
}
impl Weighter<PrincipalId, Arc<PrincipalFacts>> for Bytes {
    fn weight(&self, _: &PrincipalId, principal: &Arc<PrincipalFacts>) -> u64 {
        let more = principal.name.len() + principal.teams.len() * size_of::<TeamOf>();
        bytes(size_of::<PrincipalFacts>(), more)
    }
}
impl Weighter<TeamId, Arc<TeamFacts>> for Bytes {
    fn weight(&self, _: &TeamId, team: &Arc<TeamFacts>) -> u64 {
        bytes(size_of::<TeamFacts>(), team.name.len())
    }
}
impl Weighter<Name, Arc<RepoAcl>> for Bytes {
    fn weight(&self, name: &Name, acl: &Arc<RepoAcl>) -> u64 {
        bytes(size_of::<RepoAcl>(), name.len() + acl.grants.len() * size_of::<Grant>())
    }
}
