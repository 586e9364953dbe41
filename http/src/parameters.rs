//! Parameters of a query or a form: `name=value&name=value`.

use percent_encoding::percent_decode_str;

/// Parameters, decoded, in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of `text`; what is not UTF-8 is replaced, and so refused where it matters.
    pub(crate) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(name, value)| (decoded(name), decoded(value))).collect())
    }

    /// These parameters, and `more` behind them.
    #[must_use]
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// The first value of `name`.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of `name`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name`, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// The first of `names` that was not sent.
    pub(crate) fn missing(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.get(name).is_none())
    }

    /// Each with its name.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

fn decoded(text: &str) -> String {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for (at, words) in text.split('+').enumerate() {
        if at > 0 {
            bytes.push(b' ');
        }
        bytes.extend(percent_decode_str(words));
    }
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let form = Parameters::read("a=1&b=x+y%26z&a=2&c&&%C3%A4=%ff&d=%zz");
        assert_eq!(form.get("a"), Some("1"));
        assert_eq!(form.get("b"), Some("x y&z"));
        assert_eq!(form.get("c"), Some(""));
        assert_eq!(form.get("d"), Some("%zz"));
        assert_eq!(form.get("\u{e4}"), Some("\u{fffd}"));
        assert_eq!(form.missing(&["a", "d", "e"]), Some("e"));
    }

    #[test]
    fn repeated_parameters_keep_their_order() {
        let text = "scope=repository%3Aa%2Fb%3Apull+x&&service=reg&scope=&flag&scope=c";
        let form = Parameters::read(text);
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["repository:a/b:pull x", "", "c"]);
        assert_eq!(form.get("service"), Some("reg"));
        assert_eq!(form.get("flag"), Some(""));
        assert_eq!(form.get("missing"), None);
        assert_eq!(form.into_pairs().len(), 5);
    }
}
