//! Sends the lines of a group, in order, to one server.

use std::{collections::HashMap, fmt::Write};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    compare::differences,
    exceptions::{DIFFERENT, LEARNED, OPEN, PAUSES, reason},
    line::Line,
    secrets::Secrets,
    template,
};
use crate::{answer::Answer, server::Server, stands::StillClock, visitor::Visitor};

/// A cookie, and the token that goes with it.
#[derive(Clone, Debug)]
struct Session {
    cookie: String,
    csrf: String,
}

/// One group on its way.
struct Run<'a, S> {
    server: &'a S,
    clock: &'a StillClock,
    secrets: Secrets,
    sessions: HashMap<String, Session>,
    answers: HashMap<String, Answer>,
}

/// Sends a group.
///
/// # Panics
/// When a line does not hold and is not excused, or is excused and holds.
pub async fn group<S: Server>(server: &S, clock: &StillClock, lines: &[Line], secrets: Secrets) {
    let mut run = Run { server, clock, secrets, sessions: HashMap::new(), answers: HashMap::new() };
    let (mut report, mut failed, mut asserted) = (String::new(), 0, 0);
    for line in lines {
        let found = run.line(line).await;
        asserted += usize::from(line.response.is_some());
        let excused = reason(OPEN, &line.id).or(reason(DIFFERENT, &line.id));
        let say = match (excused, found.is_empty()) {
            (Some(reason), true) => vec![format!("is excused ({reason}), but holds")],
            (Some(_), false) | (None, true) => continue,
            (None, false) => found,
        };
        failed += 1;
        let Line { id, identity, request, .. } = line;
        let identity: String = identity.chars().take(40).collect();
        let _ = writeln!(report, "  {id} ({} {} as {identity})", request.method, request.path);
        for sentence in say {
            let _ = writeln!(report, "      {sentence}");
        }
    }
    let name = lines.first().map_or("", |line| line.group.as_str());
    assert!(
        failed == 0,
        "group {name}: {failed} lines do not hold, of {asserted} with an answer:\n{report}"
    );
}

impl<S: Server> Run<'_, S> {
    /// Sends a line; what does not hold.
    async fn line(&mut self, line: &Line) -> Vec<String> {
        let request = self.request(line).await;
        let answer = self.server.send(request).await;
        self.answers.insert(line.id.clone(), answer.clone());
        for (_, path, recorded) in LEARNED.iter().filter(|(id, ..)| *id == line.id) {
            let ours = template::at(&answer, path).unwrap_or_default();
            self.secrets.insert(recorded, &ours);
        }
        for (_, ms) in PAUSES.iter().filter(|(id, _)| *id == line.id) {
            self.clock.advance_ms(*ms);
        }
        match &line.response {
            _ if answer.status == http::StatusCode::INTERNAL_SERVER_ERROR => {
                panic!("{}: 500, {}", line.id, answer.text());
            }
            Some(recorded) => {
                let mut recorded = recorded.clone();
                recorded.body = self.secrets.in_json(&recorded.body);
                differences(line, &recorded, &answer)
            }
            None => Vec::new(),
        }
    }

    async fn request(&mut self, line: &Line) -> http::Request<Vec<u8>> {
        let recorded = &line.request;
        let mut uri = self.fill(&recorded.path).await;
        for (index, (name, value)) in recorded.query.iter().enumerate() {
            let value = self.fill(value).await;
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
            let _ = write!(uri, "{}{name}={value}", if index == 0 { '?' } else { '&' });
        }
        let mut request = http::Request::builder()
            .method(recorded.method.as_str())
            .uri(uri)
            .header("host", "localhost:5000");
        for (name, value) in &recorded.headers {
            let value = match self.fill(value).await {
                value if name.eq_ignore_ascii_case("authorization") => self.authorization(&value),
                value => value,
            };
            request = request.header(name, value);
        }
        let body = match (&recorded.body, &recorded.raw_body) {
            (_, Some(raw)) => {
                let raw = self.fill(raw).await;
                latin1(&self.secrets.in_form(&raw))
            }
            (Some(json), None) => self.secrets.in_json(json).to_string().into_bytes(),
            (None, None) => Vec::new(),
        };
        request.header("content-length", body.len()).body(body).expect("a request")
    }

    /// Fills the placeholders of a text; signs in whom it names.
    async fn fill(&mut self, text: &str) -> String {
        let mut names = Vec::new();
        template::fill(text, |inside| {
            let name = inside.strip_prefix("session:").or_else(|| inside.strip_prefix("csrf:"));
            names.extend(name.map(str::to_owned));
            String::new()
        });
        for name in names {
            if !self.sessions.contains_key(&name) {
                let session = self.sign_in(&name).await;
                self.sessions.insert(name, session);
            }
        }
        template::fill(text, |inside| match inside.split_once(':') {
            Some(("session", name)) => self.sessions[name].cookie.clone(),
            Some(("csrf", name)) => self.sessions[name].csrf.clone(),
            Some(("ref", reference)) => {
                let (id, path) = reference.split_once(':').expect("a line and a path");
                let answer = self.answers.get(id).unwrap_or_else(|| panic!("no answer `{id}` yet"));
                template::at(answer, path).unwrap_or_else(|| format!("no-{id}"))
            }
            _ => panic!("unknown placeholder `{inside}`"),
        })
    }

    async fn sign_in(&self, name: &str) -> Session {
        let visitor = match name {
            "anonymous" => Visitor::stranger(self.server).await,
            name => Visitor::sign_in(self.server, name, "password").await,
        };
        let (cookie, csrf) = visitor.session().expect("a session");
        Session { cookie: cookie.to_owned(), csrf: csrf.to_owned() }
    }

    /// `Basic base64('$app:' + SECRET)`, or a header as it is sent.
    fn authorization(&self, value: &str) -> String {
        let filled = value
            .strip_prefix("Basic base64('")
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|rest| rest.split_once("' + "));
        match filled {
            Some((user, secret)) => {
                use base64::{Engine, prelude::BASE64_STANDARD};
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}{secret}")))
            }
            None => self.secrets.in_authorization(value),
        }
    }
}

/// The recordings write a byte above 127 as the character of that number.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().flat_map(|c| u8::try_from(u32::from(c))).collect()
}
