//! `serve`: opens the store, listens, and works until it is told to stop.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use claviger_domain::{Chance, Error};
use claviger_http::{
    Site, doors,
    log::RequestLog,
    metrics::Metrics,
    server::{self, Limits, Tls},
    trace::{self, Endpoint, Tracer},
};
use claviger_service::settings::MetricsListen;
use tokio::{runtime, sync::oneshot, task::JoinSet, time};
use tokio_rustls::TlsAcceptor;

use crate::{
    cli::ServeArgs,
    clock::{GatheredChance, SystemClock},
    commands::Failure,
    config::Config,
    desk::{self, Desk, chain},
    files,
    stop::Stop,
    telemetry,
    tls::Certificate,
};

/// How often last-used times are written, and new keys are looked for.
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How often what is dead is swept out.
const HOUR: Duration = Duration::from_secs(3600);
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// What was bound and read before the store is touched.
struct Front {
    listener: TcpListener,
    /// `metrics.listen`, when it is an address.
    operators: Option<TcpListener>,
    /// `forward.listen`.
    proxies: Option<TcpListener>,
    certificate: Option<Arc<Certificate>>,
    /// `SCHEME://IP:PORT`.
    origin: String,
}

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let mut config = Config::load(args.store.config.as_deref(), args.flags())?;
    let (_lines, log) = telemetry::gather(config.log_format, config.log_level);
    let front = Front::open(&config)?;
    config.complete(&front.origin)?;
    let forward = &config.settings.forward;
    if forward.behind_local_proxy
        && forward.listen.is_none()
        && forward.secret.is_none()
        && !forward.routes.is_empty()
    {
        tracing::warn!(
            "proxies of this machine are not answered at /forward: clients come through one, too; \
             set `forward.listen` or `forward.secret_file`"
        );
    }
    if let Err(error) = server::raise_open_files() {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let traces = config.traces();
    let runtime = runtime::Builder::new_multi_thread().enable_all().build();
    runtime?.block_on(async {
        let _lock = desk::lock(&config)?;
        let stop = Stop::on_signals()?;
        let desk = desk::open(config).await?;
        let outcome = work(&desk, front, log, traces, stop).await;
        // the writer finishes what waits; a thread may block here, the runtime has nothing left
        desk.app.close();
        outcome
    })
}

impl Front {
    fn open(config: &Config) -> Result<Self, Failure> {
        config.check_exposure()?;
        let certificate = match config.tls() {
            Some((chain, key)) => Some(Certificate::read(chain, key)?),
            None => None,
        };
        let listener = bind(config, "listen", config.listen)?;
        let address = listener.local_addr()?;
        let operators = match config.settings.metrics.listen {
            MetricsListen::Loopback => None,
            MetricsListen::Address(address) => Some(bind(config, "metrics.listen", address)?),
        };
        let proxies = config.settings.forward.listen;
        let proxies = proxies.map(|address| bind(config, "forward.listen", address)).transpose()?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{address}");
        Ok(Self { listener, operators, proxies, certificate, origin })
    }
}

fn bind(config: &Config, key: &'static str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let in_use = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let bound = files::patiently(|| TcpListener::bind(address), in_use);
    let listener = bound.and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let problem = |error| config.complain(key, &format!("{address} cannot be used: {error}"));
    listener.map_err(|error| problem(error).into())
}

/// Serves and does the work in the background, until it is time to stop.
async fn work(
    desk: &Desk,
    front: Front,
    log: Box<dyn RequestLog>,
    collector: Option<(Endpoint, NonZeroU32)>,
    stop: Stop,
) -> Result<(), Failure> {
    // requests and spans are named by it, and nothing else
    let chance: Arc<dyn Chance> = Arc::new(GatheredChance::new());
    let (tracer, exporter) = match collector {
        None => (None, None),
        Some((endpoint, one_in)) => {
            let (tracer, spans) = Tracer::new(Arc::new(SystemClock), Arc::clone(&chance), one_in);
            let (end, ended) = oneshot::channel::<()>();
            let wished = async { drop(ended.await) };
            let work = trace::export(endpoint, Arc::clone(&tracer), spans, wished);
            (Some(tracer), Some((end, tokio::spawn(work))))
        }
    };
    let metrics = Arc::new(Metrics::new(log, tracer));
    let site = doors::site(&desk.app, Arc::clone(&chance), &metrics);
    let tls = front.certificate.as_ref().map(acceptor).transpose()?;
    let mut servers = JoinSet::new();
    serve(&mut servers, front.listener, site, &metrics, tls.clone(), &stop)?;
    if let Some(listener) = front.operators {
        let site = doors::operators(&desk.app, Arc::clone(&chance), &metrics);
        serve(&mut servers, listener, site, &metrics, None, &stop)?;
    }
    if let Some(listener) = front.proxies {
        let site = doors::proxies(&desk.app, chance, &metrics);
        // on this machine nobody listens in
        let tls = tls.filter(|_| listener.local_addr().is_ok_and(|at| !at.ip().is_loopback()));
        serve(&mut servers, listener, site, &metrics, tls, &stop)?;
    }
    let (leave, left) = oneshot::channel();
    let app = Arc::clone(&desk.app);
    let follower = tokio::spawn(async move {
        // an error is a wish to leave, too
        app.follow_feed(async { drop(left.await) }).await;
    });
    let mut chores = chores(desk);
    if let Some(certificate) = front.certificate {
        chores.spawn(certificate.follow());
    }
    desk.app.ready().await?;
    // in one piece: scripts wait for this line and read it at once
    let line = format!("listening on {}\n", front.origin);
    eprint!("{line}");
    servers.join_all().await;
    chores.shutdown().await;
    if let Some((end, exporter)) = exporter {
        drop(end);
        exporter.await.map_err(|error| Failure::refused(error.to_string()))?;
    }
    desk.app.flush_activity().await?;
    desk.app.flush_decisions().await?;
    let _ = leave.send(());
    follower.await.map_err(|error| Failure::refused(error.to_string()))
}

fn serve(
    servers: &mut JoinSet<()>,
    listener: TcpListener,
    site: Site,
    metrics: &Arc<Metrics>,
    tls: Option<Tls>,
    stop: &Stop,
) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (site, metrics, stop) = (Arc::new(site), Arc::clone(metrics), stop.clone().wished());
    servers.spawn(server::serve(listener, site, metrics, tls, Limits::default(), stop));
    Ok(())
}

fn acceptor(certificate: &Arc<Certificate>) -> Result<Tls, String> {
    let acceptor = TlsAcceptor::from(certificate.server()?);
    Ok(Arc::new(move || acceptor.clone()))
}

/// The work in the background.
fn chores(desk: &Desk) -> JoinSet<()> {
    let mut chores = JoinSet::new();
    let app = Arc::clone(&desk.app);
    chores.spawn(every(MINUTE, "last uses could not be written", move || {
        let app = Arc::clone(&app);
        async move {
            app.flush_activity().await?;
            // only now it is known which tokens are idle
            app.end_idle_tokens().await.map(drop)
        }
    }));
    let app = Arc::clone(&desk.app);
    chores.spawn(every(SECOND, "decisions could not be written to the audit", move || {
        let app = Arc::clone(&app);
        async move { app.flush_decisions().await.map(drop) }
    }));
    let app = Arc::clone(&desk.app);
    chores.spawn(every(HOUR, "what is dead could not be swept out", move || {
        let app = Arc::clone(&app);
        async move { app.sweep().await.map(drop) }
    }));
    let (app, master) = (Arc::clone(&desk.app), Arc::clone(&desk.master));
    chores.spawn(async move {
        let mut changes = app.changes();
        loop {
            // whether there was a change or only time has passed: look
            let _ = time::timeout(MINUTE, changes.changed()).await;
            if let Err(error) = app.tend_keys(master.as_ref()).await {
                tracing::error!(error = chain(&error), "new keys could not be taken over");
                time::sleep(PAUSE).await;
            }
        }
    });
    chores
}

/// Does `work` again and again, the first time after one `interval`.
async fn every<F: Future<Output = Result<(), Error>>>(
    interval: Duration,
    complaint: &'static str,
    work: impl Fn() -> F,
) {
    loop {
        time::sleep(interval).await;
        if let Err(error) = work().await {
            tracing::error!(error = chain(&error), "{complaint}");
        }
    }
}
