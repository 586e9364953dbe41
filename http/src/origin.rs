//! One visit: which request this is, who sent it, through which door.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use axum::extract::FromRequestParts;
use claviger_domain::id::{PrincipalId, RequestId};
use claviger_service::Origin;
use http::request::Parts;

/// The other end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// What the porch knows about the request. Handlers take it as an argument and make the
/// [`Origin`] of audit rows from it.
#[derive(Clone, Debug)]
pub struct Visit(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    door: &'static str,
    request_id: RequestId,
    peer: Option<Peer>,
    address: Option<IpAddr>,
    principal: OnceLock<PrincipalId>,
}

impl Visit {
    /// A visit through `door`, of `peer` for the client at `address`.
    pub fn new(
        door: &'static str,
        request_id: RequestId,
        peer: Option<Peer>,
        address: Option<IpAddr>,
    ) -> Self {
        Self(Arc::new(Facts { door, request_id, peer, address, principal: OnceLock::new() }))
    }

    /// Where the request came from, as the service wants it.
    pub fn origin(&self) -> Origin {
        Origin { door: self.0.door, address: self.0.address, request_id: self.0.request_id }
    }

    /// The request, as logs and the audit name it.
    pub fn request_id(&self) -> RequestId {
        self.0.request_id
    }

    /// The other end of the connection.
    pub(crate) fn peer(&self) -> Option<Peer> {
        self.0.peer
    }

    /// The client's address.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// Notes for the log line whose credential was accepted. The first one counts.
    pub fn note_principal(&self, id: PrincipalId) {
        let _ = self.0.principal.set(id);
    }

    /// Whose credential was accepted.
    pub(crate) fn principal(&self) -> Option<PrincipalId> {
        self.0.principal.get().copied()
    }
}

/// A request that did not pass the porch has no visit; there is no such request.
#[derive(Debug)]
pub struct NoVisit;

impl axum::response::IntoResponse for NoVisit {
    fn into_response(self) -> axum::response::Response {
        http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = NoVisit;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, NoVisit> {
        head.extensions.get::<Self>().cloned().ok_or(NoVisit)
    }
}
