//! Parameters of a query or a form.

use percent_encoding::percent_decode_str;

/// Parameters in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of `text`; what is not UTF-8 is replaced.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// These parameters, and `more` behind them.
    #[must_use]
    pub(super) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The first value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name`, or nothing.
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// The first of `names` that was not sent.
    pub(super) fn missing(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.get(name).is_none())
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let form = Parameters::parse("a=1&b=x+y%26z&a=2&c&&%C3%A4=%ff");
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), Some("x y&z"));
        assert_eq!(form.get("c"), Some(""));
        assert_eq!(form.get("\u{e4}"), Some("\u{fffd}"));
        assert_eq!(form.missing(&["a", "d", "e"]), Some("d"));
    }
}
