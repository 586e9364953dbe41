//! The forward-auth door: `/forward/{nginx,traefik,caddy}` and `/forward/envoy/…` answer the
//! sub-requests of proxies.
//!
//! A proxy asks before it passes a request on: 200 lets it through, 401 and 403 do not. Each of the
//! four says in its own way what the original request was, and each is read in its own way only.
//! Nobody is answered who is not trusted; whatever is missing, doubled or ambiguous is a 403; and
//! when it cannot be decided, the answer is a 503, which no proxy takes for a yes.
//!
//! Source: `contract/standards.md` section 3; `SECURITY.md` section 5; `docs/doors/forward.md`.
//! Not here: what a request needs, and the decision (`claviger_service::forward`).

mod answer;
mod original;

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use claviger_domain::Chance;
use claviger_service::{
    App,
    forward::{Asked, Login},
};
use http::{Method, request::Parts};

use self::{
    answer::{Challenges, Words},
    original::{Proxy, Read, Said},
};
use crate::{
    Door, Face, Porch, Visit,
    client_ip::is_among,
    metrics::Metrics,
    origin::Peer,
    porch::{Counted, Entry},
};

/// Where the door is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Beside the others, where also strangers may come.
    Shared,
    /// On a listener of its own (`forward.listen`).
    Own,
}

/// What the door knows.
pub(crate) struct Forward {
    app: Arc<App>,
    entry: Entry,
    listener: Listener,
    challenges: Challenges,
    routes: [(Proxy, Counted); 4],
    nowhere: Counted,
}

/// The door.
pub fn door(
    app: &Arc<App>,
    chance: Arc<dyn Chance>,
    metrics: &Arc<Metrics>,
    listener: Listener,
) -> Door {
    let settings = app.settings();
    let (http, peers) = (&settings.http, &settings.forward.trusted_peers);
    let porch = Porch {
        body_limit: http.body_limit,
        // a proxy that may ask is believed when it says whom it asks for
        trusted_proxies: http.trusted_proxies.iter().chain(peers).copied().collect(),
        chance,
        metrics: Arc::clone(metrics),
    };
    let templates = Proxy::ALL.map(Proxy::template);
    Door::forward(&Arc::new(porch), &["/forward"], &templates, ForwardFace, |entry| Forward {
        app: Arc::clone(app),
        listener,
        challenges: Challenges::new(&app.settings().public_url),
        routes: Proxy::ALL.map(|proxy| (proxy, entry.route(Some(proxy.template())).clone())),
        nowhere: entry.route(None).clone(),
        entry,
    })
}

impl Forward {
    /// Answers a request. Nothing on this way is in a box of its own: it is taken all the time.
    pub(crate) fn enter(
        &self,
        peer: Option<Peer>,
        request: Request,
    ) -> impl Future<Output = Response> + Send {
        let proxy = Proxy::of(request.uri().path());
        let known = self.routes.iter().find(|(known, _)| Some(*known) == proxy);
        let route = known.map_or(&self.nowhere, |(_, route)| route);
        let work = move |visit, request| self.decide(proxy, visit, request);
        self.entry.pass(route, peer, request, work)
    }

    /// One future for all of it: each around another would be copied as a whole, once more.
    async fn decide(&self, proxy: Option<Proxy>, visit: Visit, request: Request) -> Response {
        // a body is left alone: no proxy need send one
        let (head, _body) = request.into_parts();
        let (asked, login) = match self.read(proxy, &visit, &head) {
            Ok(read) => read,
            Err(words) => return words.into_response(),
        };
        match self.app.forward(&asked, login, &visit.origin()).await {
            Ok(caller) => {
                if let Some(caller) = &caller {
                    visit.note_principal(caller.principal.id);
                }
                answer::allowed(caller.as_ref()).unwrap_or_else(IntoResponse::into_response)
            }
            Err(refusal) => self.challenges.refused(&refusal),
        }
    }

    /// What is asked, and with what the client comes.
    fn read<'h>(
        &self,
        proxy: Option<Proxy>,
        visit: &Visit,
        head: &'h Parts,
    ) -> Result<(Asked<'h>, Login<'h>), Words> {
        let said = Said::read(&head.headers);
        let peer = visit.peer().map(|peer| peer.0.ip());
        if !peer.is_some_and(|peer| self.trusts(peer, &said)) {
            return Err(Words::PEER);
        }
        let asked = proxy.ok_or(Words::NO_PROXY)?.asked(head, &said)?;
        Ok((asked, said.login()?))
    }

    /// Whether `peer` may ask. Where also strangers come from its address, it must show more.
    fn trusts(&self, peer: IpAddr, said: &Said<'_>) -> bool {
        let settings = self.app.settings();
        let forward = &settings.forward;
        if !is_among(peer, &forward.trusted_peers) {
            return false;
        }
        if let Some(secret) = &forward.secret {
            return said.only(Read::Secret).is_ok_and(|shown| secret.is(shown));
        }
        let front = is_among(peer, &settings.http.trusted_proxies)
            || forward.behind_local_proxy && peer.to_canonical().is_loopback();
        self.listener == Listener::Own || !front
    }
}

/// What the porch refuses in the name of this door.
struct ForwardFace;

impl Face for ForwardFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        Words::NO_PROXY.into_response()
    }

    fn no_such_method(&self, _: &Parts, _: &[Method]) -> Response {
        Words::NO_PROXY.into_response()
    }

    fn too_large(&self) -> Response {
        Words::BODY.into_response()
    }

    fn internal(&self) -> Response {
        Words::INTERNAL.into_response()
    }
}
