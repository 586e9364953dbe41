//! Latin letters with marks, as plain ASCII: `cöolrepo` finds `coolrepo`.

/// `text` with the Latin letters of Unicode's first two blocks beyond ASCII spelled in ASCII. All
/// else stays as it is (and is part of no name).
pub(crate) fn to_ascii(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut ascii = String::with_capacity(text.len());
    for c in text.chars() {
        match letters(c) {
            Some(letters) => ascii.push_str(letters),
            None => ascii.push(c),
        }
    }
    ascii
}

fn letters(c: char) -> Option<&'static str> {
    SPELLINGS.iter().find(|(letters, _)| letters.contains(c)).map(|(_, spelling)| *spelling)
}

const SPELLINGS: [(&str, &str); 50] = [
    ("ÀÁÂÃÄÅĀĂĄ", "A"),
    ("àáâãäåāăą", "a"),
    ("Æ", "AE"),
    ("æ", "ae"),
    ("ÇĆĈĊČ", "C"),
    ("çćĉċč", "c"),
    ("ÐĎĐ", "D"),
    ("ðďđ", "d"),
    ("ÈÉÊËĒĔĖĘĚ", "E"),
    ("èéêëēĕėęě", "e"),
    ("ĜĞĠĢ", "G"),
    ("ĝğġģ", "g"),
    ("ĤĦ", "H"),
    ("ĥħ", "h"),
    ("ÌÍÎÏĨĪĬĮİ", "I"),
    ("ìíîïĩīĭįı", "i"),
    ("Ĳ", "IJ"),
    ("ĳ", "ij"),
    ("Ĵ", "J"),
    ("ĵ", "j"),
    ("Ķ", "K"),
    ("ķĸ", "k"),
    ("ĹĻĽĿŁ", "L"),
    ("ĺļľŀł", "l"),
    ("ÑŃŅŇ", "N"),
    ("ñńņň", "n"),
    ("Ŋ", "NG"),
    ("ŋ", "ng"),
    ("ÒÓÔÕÖØŌŎŐ", "O"),
    ("òóôõöøōŏő", "o"),
    ("Œ", "OE"),
    ("œ", "oe"),
    ("ŔŖŘ", "R"),
    ("ŕŗř", "r"),
    ("ŚŜŞŠ", "S"),
    ("śŝşš", "s"),
    ("ß", "ss"),
    ("ſ", "s"),
    ("ŢŤŦ", "T"),
    ("ţťŧ", "t"),
    ("Þ", "Th"),
    ("þ", "th"),
    ("ÙÚÛÜŨŪŬŮŰŲ", "U"),
    ("ùúûüũūŭůűų", "u"),
    ("Ŵ", "W"),
    ("ŵ", "w"),
    ("ÝŶŸ", "Y"),
    ("ýŷÿ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_letters_are_spelled_in_ascii() {
        assert_eq!(to_ascii("cöolrepo/straße-łódź"), "coolrepo/strasse-lodz");
        assert_eq!(to_ascii("plain"), "plain");
        assert_eq!(to_ascii("ключ"), "ключ");
    }
}
