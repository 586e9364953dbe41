//! The yardsticks of what is measured over HTTP: hyper as it comes, and a handler that does one
//! thing for each request.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::Outcome;

/// What is done for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One ES256 signature, which is the answer.
    Sign,
    /// Nothing: 200, with the headers of the forward-auth door.
    Headers,
    /// An AuthZEN evaluation is parsed, and the answer is a constant.
    Parse,
    /// Nothing: a constant.
    Constant,
}

impl Kind {
    /// As the command line has it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Headers => "headers",
            Self::Parse => "parse",
            Self::Constant => "constant",
        }
    }
}

/// What an allowed sub-request is answered with, byte for byte as long.
const HEADERS: [(&str, &str); 10] = [
    ("x-auth-user", "user-000000"),
    ("x-auth-kind", "user"),
    ("x-auth-token-id", "00000000-0000-4000-8000-000000000000"),
    ("x-auth-scopes", "registry"),
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-request-id", "00000000-0000-4000-8000-000000000000"),
];

const DECISION: &[u8] = br#"{"decision":true}"#;

/// An evaluation, as far as a request of ours goes.
#[derive(Deserialize)]
struct Evaluation<'a> {
    #[serde(borrow)]
    subject: Entity<'a>,
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Entity<'a>,
}

#[derive(Deserialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

#[derive(Deserialize)]
struct Action<'a> {
    name: &'a str,
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn draw() -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                .map_err(|_| Unspecified)?;
        Ok(Self { key, random })
    }

    fn answer(&self, request: &Request<Incoming>) -> Result<Bytes, Unspecified> {
        let signature = self.key.sign(&self.random, request.uri().path().as_bytes())?;
        Ok(format!(r#"{{"token":"{}"}}"#, URL_SAFE_NO_PAD.encode(signature.as_ref())).into())
    }
}

/// A handler, with what it needs.
struct Handler {
    kind: Kind,
    signer: Signer,
    headers: HeaderMap,
}

impl Handler {
    fn new(kind: Kind) -> Outcome<Self> {
        let headers = HEADERS
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let signer = Signer::draw().map_err(|_| "no randomness")?;
        Ok(Self { kind, signer, headers: headers.collect() })
    }

    async fn answer(&self, request: Request<Incoming>) -> Outcome<Response<Full<Bytes>>> {
        let body = match self.kind {
            Kind::Headers => {
                let mut response = Response::new(Full::default());
                *response.headers_mut() = self.headers.clone();
                return Ok(response);
            }
            Kind::Sign => self.signer.answer(&request).map_err(|_| "no signature")?,
            Kind::Parse => {
                let body = request.into_body().collect().await?.to_bytes();
                let Evaluation { subject, action, resource } = serde_json::from_slice(&body)?;
                let parts = [subject.kind, subject.id, action.name, resource.kind, resource.id];
                if parts.iter().any(|part| part.is_empty()) {
                    return Err("a part is empty".into());
                }
                Bytes::from_static(DECISION)
            }
            Kind::Constant => Bytes::from_static(DECISION),
        };
        let json = HeaderValue::from_static("application/json");
        Ok(Response::builder().header(CONTENT_TYPE, json).body(Full::from(body))?)
    }
}

/// Serves until it is killed.
pub(crate) fn serve(kind: Kind) -> Outcome<()> {
    let handler = Arc::new(Handler::new(kind)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let handler = &handler;
                    async move {
                        let answer = handler.answer(request).await;
                        // whoever measures takes nothing but successes
                        Ok::<_, Infallible>(answer.unwrap_or_else(|_| broken()))
                    }
                });
                let served =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                // a client that goes away ends its connection
                drop(served);
            });
        }
    })
}

fn broken() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
    response
}
