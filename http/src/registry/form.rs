//! What a client sends: the query of a GET or the form of a POST.

use percent_encoding::percent_decode_str;

/// The parameters of a query or a form, decoded, in their order.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `name=value&name=value`; what is not UTF-8 is replaced, and so refused where it
    /// matters.
    pub(super) fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(name), decoded(value))
                })
                .collect(),
        )
    }

    /// The first value of a parameter.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_keeps_repeated_parameters_in_their_order() {
        let form = Form::read("scope=repository%3Aa%2Fb%3Apull+x&&service=reg&scope=&flag&scope=c");
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["repository:a/b:pull x", "", "c"]);
        assert_eq!(form.first("service"), Some("reg"));
        assert_eq!(form.first("flag"), Some(""));
        assert_eq!(form.first("missing"), None);
    }
}
