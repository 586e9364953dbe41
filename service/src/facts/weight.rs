//! What a fact weighs, by which key it is found, and what is looked at of it.

use std::{hint::black_box, mem::size_of};

use claviger_domain::{
    access::RepoAcl,
    id::{PrincipalId, TeamId},
    principal::{PrincipalFacts, TeamFacts},
    scope::Scope,
};

use super::Lookup;
use crate::{
    activity::NotedToken,
    table::{AROUND, Keyed},
};

/// Roughly the bytes of a fact, so that the bound on memory holds.
fn weight<T>(more: usize) -> u64 {
    u64::try_from(AROUND + size_of::<T>() + more).unwrap_or(u64::MAX / 2)
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

    fn touch(&self) {
        black_box((self.lookup, self.id, self.principal, self.kind, self.application, self.parent));
        black_box((self.expires_at, self.secret_valid_until, self.scopes.caps()));
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

    fn touch(&self) {
        black_box((self.id, self.account, self.session_epoch, self.enabled));
        black_box((self.name.as_bytes().len(), self.teams.first(), self.teams.last()));
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

    fn touch(&self) {
        black_box((self.id, self.org, self.role));
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

    fn touch(&self) {
        black_box((self.id, self.namespace, self.state));
        black_box((self.grants.first(), self.grants.last()));
    }
}
