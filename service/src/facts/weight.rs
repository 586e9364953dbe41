//! What a fact weighs, and by which key it is found.

use std::mem::size_of;

use claviger_domain::{
    access::{Grant, RepoAcl},
    id::{PrincipalId, TeamId},
    principal::{PrincipalFacts, TeamFacts, TeamOf},
    scope::Scope,
    token::TokenFacts,
};

use super::Lookup;
use crate::table::{AROUND, Keyed};

/// Roughly the bytes of a fact, so that the bound on memory holds.
fn weight<T>(more: usize) -> u64 {
    u64::try_from(AROUND + size_of::<T>() + more).unwrap_or(u64::MAX / 2)
}

impl Keyed for TokenFacts {
    type Key = Lookup;

    fn key(&self) -> &Lookup {
        &self.lookup
    }

    fn weight(&self) -> u64 {
        let scopes = self.scopes.iter().map(|scope| size_of::<Scope>() + scope.word.len());
        let service = self.service.as_ref().map_or(0, |service| service.len());
        weight::<Self>(scopes.sum::<usize>() + service)
    }
}

impl Keyed for PrincipalFacts {
    type Key = PrincipalId;

    fn key(&self) -> &PrincipalId {
        &self.id
    }

    fn weight(&self) -> u64 {
        weight::<Self>(self.name.len() + self.teams.len() * size_of::<TeamOf>())
    }
}

impl Keyed for TeamFacts {
    type Key = TeamId;

    fn key(&self) -> &TeamId {
        &self.id
    }

    fn weight(&self) -> u64 {
        weight::<Self>(self.name.len())
    }
}

impl Keyed for RepoAcl {
    type Key = [u8];

    fn key(&self) -> &[u8] {
        self.name.as_bytes()
    }

    fn weight(&self) -> u64 {
        weight::<Self>(self.name.heap_bytes() + self.grants.len() * size_of::<Grant>())
    }
}
