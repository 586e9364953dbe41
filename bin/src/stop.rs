//! The wish to stop: SIGTERM or SIGINT.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells everybody who works that it is time to stop.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn on_signals() -> std::io::Result<Self> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            tracing::info!("stopping: requests under way are finished first");
            sender.send_replace(true);
            // kept open, so that nobody takes its end for a wish
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Returns when it is time to stop.
    pub(crate) async fn wished(mut self) {
        // an error means that the sender is gone: stop then, too
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
