//! The yardstick of registry tokens: hyper as it comes, and one ES256 signature for each request.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use tokio::net::TcpListener;

use crate::Outcome;

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

    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Unspecified> {
        let signature = self.key.sign(&self.random, request.uri().path().as_bytes())?;
        let body = format!(r#"{{"token":"{}"}}"#, URL_SAFE_NO_PAD.encode(signature.as_ref()));
        let response = Response::builder().header(CONTENT_TYPE, "application/json");
        response.body(Full::from(body)).map_err(|_| Unspecified)
    }
}

/// Serves until it is killed.
pub(crate) fn serve() -> Outcome<()> {
    let signer = Arc::new(Signer::draw().map_err(|_| "no randomness")?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        eprintln!("listening on http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let signer = Arc::clone(&signer);
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let answer = signer.answer(&request).unwrap_or_default();
                    async move { Ok::<_, Infallible>(answer) }
                });
                let served =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                // a client that goes away ends its connection
                drop(served);
            });
        }
    })
}
