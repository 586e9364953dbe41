//! The log line of a request as text, byte for byte what the usual format makes of it. There is one
//! for each request, and the usual way, which can do much more, costs as many instructions as
//! half of the decision.

use std::{cell::RefCell, fmt::Write as _, io::Write as _, net::IpAddr};

use claviger_http::log::{Ended, RequestLog};

use crate::{clock::micros, lines::Lines};

/// Writes lines of requests.
pub(crate) struct RequestLines {
    lines: Lines,
    /// Only of those that are trouble.
    trouble_only: bool,
}

impl RequestLines {
    /// Lines of all requests, or only of those that are trouble.
    pub(crate) fn new(lines: Lines, trouble_only: bool) -> Self {
        Self { lines, trouble_only }
    }
}

impl RequestLog for RequestLines {
    fn tell(&self, ended: &Ended<'_>) {
        let trouble = ended.is_trouble();
        if self.trouble_only && !trouble {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            SECOND.with_borrow_mut(|second| begin(line, second, micros()));
            write(line, ended);
            self.lines.add_line(line, trouble);
        });
    }
}

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static SECOND: RefCell<Second> =
        const { RefCell::new(Second { number: i64::MIN, text: String::new() }) };
}

const MILLION: i64 = 1_000_000;

/// The time, `now` microseconds after 1970.
fn begin(line: &mut Vec<u8>, second: &mut Second, now: i64) {
    second.turn_to(now.div_euclid(MILLION));
    line.extend_from_slice(second.text.as_bytes());
    let mut digits = [b'0'; 6];
    let mut rest = now.rem_euclid(MILLION);
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    line.extend_from_slice(&digits);
    line.push(b'Z');
}

/// All behind the time.
fn write(line: &mut Vec<u8>, ended: &Ended<'_>) {
    let Ended { method, door, route, status, took, request, address, principal, error } = *ended;
    let level: &[u8] = if ended.is_trouble() { b" ERROR" } else { b"  INFO" };
    let method = method.as_str().as_bytes();
    let request = request.text();
    // doors and routes are ours and plain
    let (door, route) = (door.as_bytes(), route.as_bytes());
    for part in [level, b" claviger::request: method=", method, br#" door=""#, door] {
        line.extend_from_slice(part);
    }
    for part in [br#"" route=""#.as_slice(), route, br#"" status="#] {
        line.extend_from_slice(part);
    }
    number(line, status.into());
    line.extend_from_slice(b" duration_us=");
    number(line, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    line.extend_from_slice(b" request=");
    line.extend_from_slice(request.as_bytes());
    if let Some(address) = address {
        line.extend_from_slice(b" address=");
        write_address(line, address);
    }
    if let Some(principal) = principal {
        line.extend_from_slice(b" principal=");
        line.extend_from_slice(principal.text().as_bytes());
    }
    if let Some(error) = error {
        line.extend_from_slice(b" error=");
        quote(line, error);
    }
    line.push(b'\n');
}

/// `text` in quotation marks; what is not plain in it is written with escapes.
fn quote(line: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    // to the end in any case, which is quicker for so little than to look at one after the other
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        line.push(b'"');
        line.extend_from_slice(text.as_bytes());
        line.push(b'"');
    } else {
        let _ = write!(line, "{text:?}"); // writing to memory cannot fail
    }
}

fn number(line: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut written = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        written += 1;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(digits.get(digits.len() - written..).unwrap_or_default());
}

fn write_address(line: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        let _ = write!(line, "{address}"); // writing to memory cannot fail
        return;
    };
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            line.push(b'.');
        }
        number(line, octet.into());
    }
}

/// A second since 1970, and how it is written up to the fraction, such as `2026-11-29T03:20:12.`.
struct Second {
    number: i64,
    text: String,
}

impl Second {
    fn turn_to(&mut self, number: i64) {
        if self.number == number {
            return;
        }
        self.number = number;
        self.text.clear();
        let (days, second) = (number.div_euclid(86_400), number.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        // writing to a string cannot fail
        let _ =
            write!(self.text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.");
    }
}

/// Year, month and day, so many days after 1970-01-01. Years begin in March here, so that the odd
/// day comes last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // since 0000-03-01
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097)); // of 400 years
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + later, month, day)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use claviger_http::log::Events;
    use http::Method;
    use tracing_subscriber::{fmt, layer::SubscriberExt as _, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Out {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that were written, without the time at the beginning of each.
    fn written(out: &Out) -> Vec<String> {
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let without = |line: &str| {
            let (time, rest) = line.split_once('Z').unwrap();
            let form = time.replace(|c: char| c.is_ascii_digit(), "0");
            assert_eq!(form, "0000-00-00T00:00:00.000000");
            rest.to_owned()
        };
        text.split_terminator('\n').map(without).collect()
    }

    fn cases() -> [Ended<'static>; 4] {
        let usual = Ended {
            method: &Method::GET,
            door: "quay",
            route: "/api/v1/user/",
            status: 200,
            took: Duration::from_micros(1_070),
            request: "00000000-0000-4000-8000-000000000001".parse().unwrap(),
            address: None,
            principal: None,
            error: None,
        };
        let principal = Some("00000000-0000-4000-8000-000000000002".parse().unwrap());
        let v4 = Some("192.0.2.10".parse().unwrap());
        let v6 = Some("2001:db8::1".parse().unwrap());
        let error = Some("a \"quoted\" \\ one,\nof two lines, \u{e4}\u{1b}");
        [
            usual,
            Ended { principal, address: v4, took: Duration::ZERO, ..usual },
            Ended { address: v6, status: 404, error: Some("plain"), ..usual },
            Ended { status: 500, route: "", error, took: Duration::MAX, ..usual },
        ]
    }

    #[test]
    fn a_line_is_what_the_usual_format_makes_of_it() {
        let (ours, usual) = (Out::default(), Out::default());
        let log = RequestLines::new(Lines::new(ours.clone()), false);
        let lines = fmt::layer().with_writer(Lines::new(usual.clone())).with_ansi(false);
        tracing::subscriber::with_default(registry().with(lines), || {
            for ended in cases() {
                Events.tell(&ended);
                log.tell(&ended);
            }
        });
        assert_eq!(written(&ours).len(), cases().len());
        assert_eq!(written(&ours), written(&usual));
    }

    #[test]
    fn nothing_but_trouble_is_told_where_nothing_else_is_wanted() {
        let out = Out::default();
        let log = RequestLines::new(Lines::new(out.clone()), true);
        for ended in cases() {
            log.tell(&ended);
        }
        assert_eq!(written(&out).len(), 1);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_786, (2026, 11, 29)),
            (-1, (1969, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
