use claviger_domain::{collection::Field, id::InstallationId, secret::Prefix};

use super::*;
use crate::keys::{Keys, MasterKeys};

const TWO: &str = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

const FIELDS: &[Field] = &[Field::text("id", "id"), Field::text("name", "name")];
static THINGS: Shape =
    Shape { name: "test/things", fields: FIELDS, takes: Parameter::ALL, wide_values: true };
static OTHERS: Shape =
    Shape { name: "test/others", fields: FIELDS, takes: Parameter::ALL, wide_values: true };

fn ring(generations: &[u8]) -> KeyRing {
    let master = MasterKeys::parse(TWO).unwrap();
    let installation: InstallationId = "9f2c4f5e-53f0-4f0e-8c1b-6d1f8c0a7e11".parse().unwrap();
    let keys = Keys::new(&master, installation, generations, Prefix::default(), &[], true);
    KeyRing::new(keys.unwrap())
}

fn end(key: Option<Key>) -> Position {
    Position { key, id: "0d6ac0eb-c866-4f2c-bcb1-4324ad49252d".to_owned() }
}

/// The token after a page of `raw` that ended at `key`.
fn token(ring: &KeyRing, raw: &str, key: Option<Key>) -> String {
    let asked = asked(ring, &THINGS, "a/b", raw).unwrap();
    make(ring, &THINGS, "a/b", &asked, end(key)).unwrap()
}

/// The one parameter that is refused.
fn refused(ring: &KeyRing, shape: &'static Shape, whose: &str, raw: &str) -> String {
    let error = asked(ring, shape, whose, raw).unwrap_err();
    assert_eq!((error.unknown.len(), error.invalid.len()), (0, 1), "{raw}: {error:?}");
    error.invalid[0].name.clone()
}

#[test]
fn a_token_brings_back_its_result_set_and_position() {
    let ring = ring(&[1]);
    let keys = [
        Some(Key::Text("Zoë \u{1f600} >?~\u{7f} \"quoted\" \\".to_owned())),
        Some(Key::Int(-5)),
        Some(Key::Int(i64::MAX)),
        None,
    ];
    for key in keys {
        let first = "filter=name eq 'x>?'&filter=id in 'ë~'&orderBy=name desc&skip=7&limit=2";
        let token = token(&ring, first, key.clone());
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
        let again = format!("continue={token}&limit=9&count=true&include=id");
        let asked = asked(&ring, &THINGS, "a/b", &again).unwrap();
        let clauses: Vec<_> = asked.filter.iter().map(ToString::to_string).collect();
        assert_eq!(clauses, ["name eq 'x>?'", "id in 'ë~'"]);
        assert_eq!(
            (asked.order.field.map(|f| f.path), asked.order.descending),
            (Some("name"), true)
        );
        assert_eq!((asked.skip, asked.limit, asked.count), (7, Some(9), true));
        assert_eq!(asked.after, Some(end(key)));
    }
}

#[test]
fn what_makes_the_result_set_may_be_repeated_or_left_out_but_not_changed() {
    let ring = ring(&[1]);
    let first = "filter=name lt 'x',id gt 'a'&orderBy=name&skip=2";
    let token = token(&ring, first, Some(Key::Text("m".to_owned())));
    for same in ["", first, "filter=name%2520lt 'x'&filter=id gt 'a'", "skip=2", "orderBy=name"] {
        assert!(
            asked(&ring, &THINGS, "a/b", &format!("{same}&continue={token}")).is_ok(),
            "{same}"
        );
    }
    for other in [
        "filter=name lt 'x'",
        "filter=id gt 'a',name lt 'x'",
        "orderBy=name desc",
        "orderBy=id",
        "skip=1",
    ] {
        let raw = format!("{other}&continue={token}");
        assert_eq!(refused(&ring, &THINGS, "a/b", &raw), "continue", "{other}");
    }
    let plain = self::token(&ring, "limit=1", Some(Key::Int(1)));
    for other in ["filter=name lt 'x'", "orderBy=name", "skip=1"] {
        let raw = format!("{other}&continue={plain}");
        assert_eq!(refused(&ring, &THINGS, "a/b", &raw), "continue", "{other}");
    }
}

#[test]
fn another_collection_s_token_and_a_retired_key_s_are_refused() {
    let token = token(&ring(&[1]), "limit=1", Some(Key::Int(1)));
    let raw = format!("continue={token}");
    assert!(asked(&ring(&[1, 2]), &THINGS, "a/b", &raw).is_ok());
    for (ring, shape, whose) in [
        (ring(&[1]), &OTHERS, "a/b"),
        (ring(&[1]), &THINGS, "a/c"),
        (ring(&[1]), &THINGS, ""),
        (ring(&[2]), &THINGS, "a/b"),
    ] {
        assert_eq!(refused(&ring, shape, whose, &raw), "continue");
    }
}

#[test]
fn every_changed_character_spoils_a_token() {
    let ring = ring(&[1]);
    let token = token(&ring, "filter=name eq 'x'&limit=1", Some(Key::Text("key".to_owned())));
    for at in 0..token.len() {
        for other in ['A', 'z', '0', '_', '=', '+', '-', '.'] {
            let mut changed = token.clone();
            changed.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
            let same = changed == token;
            let query = changed.replace('+', "%2B");
            let good = asked(&ring, &THINGS, "a/b", &format!("continue={query}")).is_ok();
            assert_eq!(good, same, "{at} {other}");
        }
        let cut = &token[..at];
        assert_eq!(refused(&ring, &THINGS, "a/b", &format!("continue={cut}")), "continue", "{cut}");
    }
    // the same JSON, spelled otherwise
    let json = STANDARD.decode(&token).unwrap();
    let json = String::from_utf8(json).unwrap();
    for other in
        [format!("{json}   "), format!("   {json}"), json.replace("\"id\"", "\"\\u0069d\"")]
    {
        let raw = format!("continue={}", STANDARD.encode(other));
        assert_eq!(refused(&ring, &THINGS, "a/b", &raw), "continue");
    }
}

#[test]
fn every_bad_parameter_is_named_beside_a_bad_token() {
    let error = asked(&ring(&[1]), &THINGS, "", "limit=0&continue=YWJj&foo=1").unwrap_err();
    let names = |bad: &[Bad]| bad.iter().map(|bad| bad.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&error.unknown), ["foo"]);
    assert_eq!(names(&error.invalid), ["limit", "continue"]);
}
