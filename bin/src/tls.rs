//! The server's certificate, read again when its files change.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring::default_provider},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);

/// The certificate that is shown at the moment.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the chain and its key (PEM).
    ///
    /// # Errors
    /// One sentence that says which file is wrong.
    pub(crate) fn read(chain: &Path, key: &Path) -> Result<Arc<Self>, String> {
        let provider = Arc::new(default_provider());
        let current = RwLock::new(load(chain, key, &provider)?);
        let (chain, key) = (chain.to_owned(), key.to_owned());
        Ok(Arc::new(Self { chain, key, provider, current }))
    }

    /// What the listener needs.
    ///
    /// # Errors
    /// When rustls refuses its own defaults.
    pub(crate) fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot start: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks at the files for ever, and takes over what is good.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut seen = self.stamps();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = self.stamps();
            if now == seen {
                continue;
            }
            match load(&self.chain, &self.key, &self.provider) {
                Ok(new) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
                    seen = now;
                    tracing::info!("the certificate was read again");
                }
                // perhaps one of the two files is still being written: look again
                Err(problem) => tracing::warn!(%problem, "the former certificate stays in use"),
            }
        }
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        [&self.chain, &self.key].map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn load(
    chain_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, String> {
    let (chain_name, key_name) = (chain_file.display(), key_file.display());
    let read = |file: &Path| {
        fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
    };
    let chain = CertificateDer::pem_slice_iter(&read(chain_file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("{chain_name} is not a certificate chain in PEM form"))?;
    if chain.is_empty() {
        return Err(format!("{chain_name} holds no certificate in PEM form"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
        .map_err(|_| format!("{key_name} holds no private key in PEM form"))?;
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("the key in {key_name} is not that of the certificate in {chain_name}")
        }
        error => format!("the certificate in {chain_name} cannot be used: {error}"),
    })
}
