//! To which trace a request belongs: `traceparent`, or a new one.
//!
//! `tracestate` is neither kept nor told: it is a client's own text.

use std::num::NonZeroU32;

use claviger_domain::Chance;
use http::HeaderMap;

const TRACEPARENT: &str = "traceparent";

/// The ids of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) trace: [u8; 16],
    pub(crate) id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
}

impl Context {
    /// Where a request with these headers belongs; `None` when nobody wants to know of it.
    pub(super) fn of(headers: &HeaderMap, chance: &dyn Chance, one_in: NonZeroU32) -> Option<Self> {
        if let Some(Parent { trace, id: parent, sampled }) = Parent::of(headers) {
            return sampled.then(|| Self { trace, id: drawn(chance), parent: Some(parent) });
        }
        let trace: [u8; 16] = drawn(chance);
        let [.., a, b, c, d] = trace;
        let wanted = u32::from_be_bytes([a, b, c, d]).is_multiple_of(one_in.get());
        wanted.then(|| Self { trace, id: drawn(chance), parent: None })
    }
}

/// An id of chance; all zeros would be none.
fn drawn<const N: usize>(chance: &dyn Chance) -> [u8; N] {
    let mut id = [0; N];
    chance.fill(&mut id);
    if id == [0; N]
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
    id
}

/// The span of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace: [u8; 16],
    id: [u8; 8],
    sampled: bool,
}

impl Parent {
    /// What the header says; `None` when there is none, several, or one that says nothing.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::parse(value.as_bytes())
    }

    /// `00-<trace>-<span>-<flags>`; a later version may say more behind another `-`.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = text.split(|byte| *byte == b'-');
        let mut next = || fields.next();
        let (version, trace, id, flags) = (next()?, next()?, next()?, next()?);
        let ([version], [flags]) = (hex::<1>(version)?, hex::<1>(flags)?);
        if version == 0xff || version == 0 && next().is_some() {
            return None;
        }
        let (trace, id) = (hex(trace)?, hex(id)?);
        let named = trace != [0; 16] && id != [0; 8];
        named.then_some(Self { trace, id, sampled: flags & 1 == 1 })
    }
}

/// Exactly so many bytes in lower-case hexadecimal digits.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Chance for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn of(values: &[&str], one_in: u32) -> Option<Context> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        Context::of(&headers, &Sevens, one_in.try_into().unwrap())
    }

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn trace_of_the_client_goes_on_if_he_wants_it() {
        let context = of(&[GOOD], 1_000_000).unwrap();
        assert_eq!(context.trace[..4], [0x4b, 0xf9, 0x2f, 0x35]);
        assert_eq!(context.parent, Some([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 2, 0xb7]));
        assert_eq!(context.id, [7; 8]);
        assert_eq!(of(&[&GOOD.replace("-01", "-00")], 1), None);
        let later = format!("{}-more", GOOD.replacen("00", "cc", 1));
        assert!(of(&[&later], 1).unwrap().parent.is_some());
    }

    #[test]
    fn what_is_no_traceparent_begins_a_trace() {
        let begun = Some(Context { trace: [7; 16], id: [7; 8], parent: None });
        for bad in [
            "",
            "canary",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(&[bad], 1), begun, "{bad}");
        }
        assert_eq!(of(&[GOOD, GOOD], 1), begun);
        assert_eq!(of(&[], 1), begun);
    }

    #[test]
    fn one_in_so_many_traces_is_told() {
        // 0x07070707 is 117901063
        assert!(of(&[], 117_901_063).is_some() && of(&[], 2).is_none());
    }
}
