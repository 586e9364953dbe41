//! Whatever answers requests: the application in this process, or a program behind a socket.

use http::Request;

use crate::answer::Answer;

/// Whatever answers requests.
pub trait Server {
    /// Sends one request.
    fn send(&self, request: Request<Vec<u8>>) -> impl Future<Output = Answer> + Send;
}
