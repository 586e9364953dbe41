//! All doors behind one address.

use std::sync::Arc;

use claviger_domain::Chance;
use claviger_service::{App, settings::MetricsListen};

use crate::{
    Porch, Site, access, astra,
    forward::{self, Listener},
    health::{self, MetricsFor, Ready},
    metrics::Metrics,
    native, numbers, oauth, openshift, quay, registry,
};

/// Every door of `app`.
pub fn site(app: &Arc<App>, chance: Arc<dyn Chance>, metrics: &Arc<Metrics>) -> Site {
    numbers::watch(app, metrics);
    let porch = porch(app, Arc::clone(&chance), metrics);
    let metrics_for = match app.settings().metrics.listen {
        MetricsListen::Loopback => MetricsFor::Loopback,
        MetricsListen::Address(_) => MetricsFor::Nobody,
    };
    let mut doors = vec![
        quay::door(app, &porch),
        quay::csrf_door(app, &porch),
        registry::door(app, &porch),
        oauth::door(app, &porch),
        openshift::door(app, &porch),
        native::door(app, &porch),
        astra::door(app, &porch),
        access::door(app, &porch),
        health::door(&porch, ready(app), metrics_for),
    ];
    if app.settings().forward.listen.is_none() {
        doors.push(forward::door(app, chance, metrics, Listener::Shared));
    }
    doors.push(oauth::no_door(&porch));
    Site::new(doors)
}

/// What a listener for proxies alone answers (`forward.listen`).
pub fn proxies(app: &Arc<App>, chance: Arc<dyn Chance>, metrics: &Arc<Metrics>) -> Site {
    Site::new(vec![forward::door(app, chance, metrics, Listener::Own)])
}

/// What a listener for the operators alone answers (`metrics.listen`).
pub fn operators(app: &Arc<App>, chance: Arc<dyn Chance>, metrics: &Arc<Metrics>) -> Site {
    let porch = porch(app, chance, metrics);
    Site::new(vec![health::door(&porch, ready(app), MetricsFor::Everybody)])
}

fn porch(app: &Arc<App>, chance: Arc<dyn Chance>, metrics: &Arc<Metrics>) -> Arc<Porch> {
    let http = &app.settings().http;
    Arc::new(Porch {
        body_limit: http.body_limit,
        trusted_proxies: http.trusted_proxies.clone(),
        chance,
        metrics: Arc::clone(metrics),
    })
}

fn ready(app: &Arc<App>) -> Ready {
    let app = Arc::clone(app);
    Arc::new(move || {
        let app = Arc::clone(&app);
        Box::pin(async move { app.ready().await.is_ok() })
    })
}
