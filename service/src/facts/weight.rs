//! What a fact weighs, by which key it is found, and what is looked at of it.

use std::{hash::BuildHasher, mem::size_of};

use claviger_domain::{
    access::{Grantee, RepoAcl},
    id::{PrincipalId, TeamId},
    principal::{PrincipalFacts, PrincipalKind, TeamFacts},
    scope::Scope,
};

use super::Lookup;
use crate::{
    activity::NotedToken,
    table::{AROUND, Keyed, Next, State},
};

/// Roughly the bytes of a fact, so that the bound on memory holds.
fn weight<T>(more: usize) -> u64 {
    u64::try_from(AROUND + size_of::<T>() + more).unwrap_or(u64::MAX / 2)
}

fn byte<const N: usize>(bytes: &[u8; N]) -> u64 {
    bytes.first().map_or(0, |first| u64::from(*first))
}

impl Keyed for NotedToken {
    type Key = Lookup;

    fn key(&self) -> &Lookup {
        &self.lookup
    }

    fn weight(&self) -> u64 {
        let scopes = self.scopes.iter().map(|scope| size_of::<Scope>() + scope.word.len());
        let service = self.service.as_ref().map_or(0, |service| service.len());
        weight::<Self>(scopes.sum::<usize>() + service)
    }

    fn touch(&self) -> u64 {
        let ends = [self.expires_at, self.secret_valid_until, self.revoked_at];
        byte(&self.lookup)
            ^ byte(&self.id.bytes())
            ^ byte(&self.principal.bytes())
            ^ ends.iter().fold(self.kind as u64, |all, end| all ^ u64::from(end.is_some()))
            ^ u64::from(self.key_generation)
            ^ u64::from(self.scopes.caps().decide)
            ^ self.look_at_use()
    }

    fn next(&self, state: &State) -> Option<Next<u64>> {
        Some(Next::Principal(state.hash_one(self.principal)))
    }
}

impl Keyed for PrincipalFacts {
    type Key = PrincipalId;

    fn key(&self) -> &PrincipalId {
        &self.id
    }

    fn weight(&self) -> u64 {
        weight::<Self>(self.name.heap_bytes() + self.teams.heap_bytes())
    }

    fn touch(&self) -> u64 {
        let teams = self.teams.places();
        let ends = [teams.first(), teams.last()].into_iter().flatten();
        byte(&self.id.bytes())
            ^ ends.fold(self.kind as u64, |all, of| all ^ byte(&of.team.bytes()))
            ^ u64::from(self.owner.is_some())
            ^ u64::from(self.enabled)
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

    fn touch(&self) -> u64 {
        byte(&self.id.bytes()) ^ byte(&self.org.bytes()) ^ self.role as u64
    }
}

impl Keyed for RepoAcl {
    type Key = [u8];

    fn key(&self) -> &[u8] {
        self.name.as_bytes()
    }

    fn weight(&self) -> u64 {
        weight::<Self>(self.name.heap_bytes() + self.grants.heap_bytes())
    }

    fn touch(&self) -> u64 {
        let grants = self.grants.places();
        let ends = [grants.first(), grants.last()].into_iter().flatten();
        byte(&self.namespace.id.bytes())
            ^ ends.fold(self.state as u64, |all, grant| all ^ grant.role as u64)
            ^ self.visibility as u64
            ^ self.name.as_bytes().len() as u64
    }

    fn next(&self, state: &State) -> Option<Next<u64>> {
        if self.namespace.kind != PrincipalKind::Org {
            return Some(Next::Principal(state.hash_one(self.namespace.id)));
        }
        // an organisation is not looked at, but a team of whoever asks is: a guess which
        self.grants.iter().find_map(|grant| match grant.to {
            Grantee::Team(team) => Some(Next::Team(state.hash_one(team))),
            Grantee::Principal(_) => None,
        })
    }
}
