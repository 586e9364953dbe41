//! The log line of a request as text, byte for byte what the usual format makes of it. There is one
//! for each request, and the usual format, which can do much more, costs as many instructions as
//! half of the decision.

use std::{
    cell::RefCell,
    fmt::{self, Debug, Write as _},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext,
        format::{Format, FormatEvent, FormatFields, Writer},
    },
    registry::LookupSpan,
};

use crate::clock::micros;

/// What lines of requests are said to come from.
const TARGET: &str = "claviger::request";

/// The usual format, but for lines of requests.
#[derive(Default)]
pub(crate) struct Text(Format);

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        if about.target() != TARGET || writer.has_ansi_escapes() {
            return self.0.format_event(context, writer, event);
        }
        let now = micros();
        SECOND.with_borrow_mut(|second| {
            second.turn_to(now.div_euclid(MILLION));
            writer.write_str(&second.text)
        })?;
        write_digits::<6>(&mut writer, now.rem_euclid(MILLION))?;
        writer.write_char('Z')?;
        writer.write_str(match *about.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        })?;
        writer.write_str(TARGET)?;
        writer.write_char(':')?;
        let mut fields = Fields { writer: &mut writer, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        writer.write_char('\n')
    }
}

const MILLION: i64 = 1_000_000;

/// A second since 1970, and how it is written up to the fraction, such as `2026-11-29T03:20:12.`.
struct Second {
    number: i64,
    text: String,
}

thread_local! {
    static SECOND: RefCell<Second> =
        const { RefCell::new(Second { number: i64::MIN, text: String::new() }) };
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

/// `N` digits of `number`, which has no more.
fn write_digits<const N: usize>(out: &mut Writer<'_>, mut number: i64) -> fmt::Result {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    out.write_str(std::str::from_utf8(&digits).unwrap_or_default())
}

/// Writes each field as ` name=value`.
struct Fields<'a, 'w> {
    writer: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Fields<'_, '_> {
    fn add(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = self.name(field).and_then(|()| value(self.writer));
        }
    }

    fn name(&mut self, field: &Field) -> fmt::Result {
        self.writer.write_char(' ')?;
        self.writer.write_str(field.name())?;
        self.writer.write_char('=')
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, |out| write!(out, "{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        self.add(field, |out| {
            if !value.bytes().all(plain) {
                return write!(out, "{value:?}");
            }
            out.write_char('"')?;
            out.write_str(value)?;
            out.write_char('"')
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{Layer as _, fmt, layer::SubscriberExt as _, registry};

    use super::*;
    use crate::lines::Lines;

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

    /// What `say` says, without the time at its beginning.
    fn said(own: bool, say: fn()) -> String {
        let out = Out::default();
        let lines = fmt::layer().with_writer(Lines::new(out.clone())).with_ansi(false);
        let lines = if own { lines.event_format(Text::default()).boxed() } else { lines.boxed() };
        tracing::subscriber::with_default(registry().with(lines), say);
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once('Z').unwrap();
        let form = time.replace(|c: char| c.is_ascii_digit(), "0");
        assert_eq!(form, "0000-00-00T00:00:00.000000");
        rest.to_owned()
    }

    #[test]
    fn a_line_is_what_the_usual_format_makes_of_it() {
        let cases: [fn(); 4] = [
            || {
                tracing::info!(
                    target: "claviger::request",
                    method = %"GET", door = "quay", route = "/api/v1/user/", status = 200_u16,
                    duration_us = 17_u64, request = %"an id", address = Option::<&str>::None,
                );
            },
            || {
                tracing::error!(
                    target: "claviger::request",
                    error = "a \"quoted\" \\ one,\nof two lines, \u{e4}\u{1b}", some = Some("x"),
                );
            },
            || tracing::info!(target: "claviger::request", good = true, below = -5_i64, at = 0.5),
            || tracing::warn!(reason = "another", "something of another target"),
        ];
        for say in cases {
            assert_eq!(said(true, say), said(false, say));
        }
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
