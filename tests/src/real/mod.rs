//! Real parts: the program itself, Debian's docker-registry, skopeo, an image, proxies.

pub mod image;
pub mod people;
pub mod program;
pub mod proxy;
pub mod registry;
pub mod skopeo;

use std::{net::TcpListener, time::Duration};

/// A loopback port on which nobody listens at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Waits until `done` says so, at most ten seconds.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain: {what}");
}
