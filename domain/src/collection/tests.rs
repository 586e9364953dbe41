use proptest::prelude::*;

use super::*;
use crate::UnixMillis;

static SHAPE: Shape = Shape {
    name: "test/things",
    fields: &[
        Field::constant("type", "application/thing"),
        Field::text("id", "id"),
        Field::text("name", "name"),
        Field::instant("seen", "seen_at"),
        Field::object("metadata"),
        Field::instant("metadata.creationTimestamp", "created_at"),
        Field::text("metadata.labels[*].name", "label_name"),
    ],
    takes: Parameter::ALL,
    wide_values: false,
};

fn good(raw: &str) -> ListQuery {
    let (query, error) = ListQuery::parse(&SHAPE, raw);
    assert_eq!(error, QueryError::default(), "{raw}");
    query
}

/// The names of the unknown and of the invalid parameters.
fn refused(raw: &str) -> (Vec<String>, Vec<String>) {
    let (_, error) = ListQuery::parse(&SHAPE, raw);
    assert!(error.unknown.iter().chain(&error.invalid).all(|bad| !bad.reason.is_empty()));
    let names = |bad: Vec<Bad>| bad.into_iter().map(|bad| bad.name).collect();
    (names(error.unknown), names(error.invalid))
}

fn invalid(raw: &str) -> Vec<String> {
    let (unknown, invalid) = refused(raw);
    assert!(unknown.is_empty(), "{raw}");
    invalid
}

fn written(query: &ListQuery) -> Vec<String> {
    query.filter.iter().flatten().map(ToString::to_string).collect()
}

#[test]
fn every_parameter_is_read() {
    let query = good(
        "include=name,id,name&limit=10&skip=3&count=true&orderBy=name+desc&continue=YWJj\
         &filter=name%20eq%20'a'",
    );
    let columns: Vec<_> = query.include.iter().flatten().map(|field| field.path).collect();
    assert_eq!(columns, ["name", "id", "name"]);
    assert_eq!((query.limit, query.skip, query.count), (Some(10), Some(3), true));
    let order = query.order.expect("an order");
    assert_eq!((order.field.expect("a field").path, order.descending), ("name", true));
    assert_eq!(query.resume.as_deref(), Some("YWJj"));
    assert_eq!(written(&query), ["name eq 'a'"]);
}

#[test]
fn query_strings_are_form_encoded() {
    for raw in [
        "orderBy=name+desc",
        "orderBy=name%20desc",
        "orderBy=name%2520desc",
        "&&order%42y=name+desc&",
    ] {
        assert!(good(raw).order.expect("an order").descending, "{raw}");
    }
    // a plus that nobody encoded
    assert_eq!(good("continue=a+b/").resume.as_deref(), Some("a+b/"));
    assert_eq!(good("continue=a%2Bb/").resume.as_deref(), Some("a+b/"));
    assert_eq!(good("").filter, None);
}

#[test]
fn numbers_are_positive_and_never_too_large() {
    assert_eq!(good("limit=18446744073709551615").limit, Some(u64::MAX));
    assert_eq!(good("limit=99999999999999999999999").limit, Some(u64::MAX));
    for bad in ["0", "-1", "+1", "01", "", "1.5", "1e3", "0x10", " 5", "5 ", "%D9%A3", "abc"] {
        assert_eq!(invalid(&format!("limit={bad}")), ["limit"], "{bad:?}");
        assert_eq!(invalid(&format!("skip={bad}")), ["skip"], "{bad:?}");
    }
}

#[test]
fn count_is_true_or_left_out() {
    for bad in ["false", "TRUE", "", "1"] {
        assert_eq!(invalid(&format!("count={bad}")), ["count"]);
    }
}

#[test]
fn include_and_order_name_fields_of_the_item() {
    for bad in
        ["", "nope", "id,", ",id", "id,,name", "id, name", "metadata.labels", "id;name", "Id"]
    {
        assert_eq!(invalid(&format!("include={bad}")), ["include"], "{bad:?}");
    }
    assert!(good("include=metadata,type,seen").include.is_some());
    for bad in [
        "",
        "nope",
        "metadata",
        "metadata.creationTimestamp",
        "name asc",
        "name DESC",
        "name  desc",
        "name,id",
        "name desc,id",
        "-name",
        " name",
        "desc name",
        "name desc desc",
    ] {
        assert_eq!(invalid(&format!("orderBy={bad}")), ["orderBy"], "{bad:?}");
    }
    assert!(good("orderBy=type").order.is_some());
    assert!(good("orderBy=seen desc").order.is_some());
}

#[test]
fn unknown_parameters_are_told_apart_from_bad_values() {
    let lists = refused("foo=1&limit=0&foo=2&orderby=name&$filter=x&skip=0");
    assert_eq!(lists.0, ["foo", "orderby", "$filter"]);
    assert_eq!(lists.1, ["limit", "skip"]);
    assert_eq!(nothing("").map_err(|e| e.unknown.len()), Ok(()));
    assert_eq!(nothing("limit=1&limit=2").map_err(|e| e.unknown.len()), Err(1));
    let few = Shape {
        takes: &[Parameter::Limit],
        ..Shape { name: "", fields: &[], takes: &[], wide_values: false }
    };
    let (_, error) = ListQuery::parse(&few, "limit=2&skip=1");
    assert_eq!(error.unknown[0].name, "skip");
}

#[test]
fn only_filter_may_be_repeated() {
    assert_eq!(
        written(&good("filter=name eq 'a'&filter=name lt 'b',id gt 'c'&filter=name eq 'a'")),
        ["name eq 'a'", "name lt 'b'", "id gt 'c'"]
    );
    assert_eq!(invalid("limit=1&limit=1&include=id&include=id"), ["limit", "include"]);
}

#[test]
fn filters_are_read() {
    for (raw, clauses) in [
        ("name%2520in%2520'x'", vec!["name in 'x'"]),
        ("name eq 'a, b','", vec![]),
        ("name eq 'a, b',name lte 'c'", vec!["name eq 'a, b'", "name lte 'c'"]),
        (
            "metadata.labels[*].name eq '[] \"{}<>=?@\\^_'",
            vec!["metadata.labels[*].name eq '[] \"{}<>=?@\\^_'"],
        ),
        (
            "metadata.creationTimestamp in 'yesterday'",
            vec!["metadata.creationTimestamp in 'yesterday'"],
        ),
        ("seen gt '2024-03-01T10:00:00,5Z'", vec!["seen gt '2024-03-01T10:00:00,5Z'"]),
    ] {
        if clauses.is_empty() {
            assert_eq!(invalid(&format!("filter={raw}")), ["filter"], "{raw}");
        } else {
            assert_eq!(written(&good(&format!("filter={raw}"))), clauses, "{raw}");
        }
    }
    for bad in [
        "",
        "name",
        "name eq",
        "name eq x",
        "name eq ''",
        "name eq \"x\"",
        "name  eq 'x'",
        "name eq  'x'",
        " name eq 'x'",
        "name eq 'x' ",
        "name eq 'x',",
        "name eq 'x', id eq 'y'",
        "name eq 'x' and id eq 'y'",
        "eq 'x'",
        "name EQ 'x'",
        "name ne 'x'",
        "name contains 'x'",
        "not name eq 'x'",
        "(name eq 'x')",
        "name eq 'it''s'",
        "name eq 'a%2Bb'",
        "name eq 'Zo%C3%AB'",
        "name eq 'a%00'",
        "name eq 'a%0A'",
        "name eq 'a%25b'",
        "name eq 'x",
        "nope eq 'x'",
        "metadata eq 'x'",
        "metadata.labels eq 'x'",
        "metadata.labels.name eq 'x'",
        "metadata.labels[0].name eq 'x'",
        "metadata.labels[].name eq 'x'",
        "name[*] eq 'x'",
        "metadata[*].creationTimestamp in 'x'",
        ".name eq 'x'",
        "name. eq 'x'",
        "na me eq 'x'",
        "token eq 'x'",
        "seen eq 'yesterday'",
        "seen eq '2024-03-01T10:00:00'",
        "metadata.creationTimestamp gt '2024-02-30T00:00:00Z'",
        "name%eq'x'",
        "name%20eq 'x",
        "%FF eq 'x'",
    ] {
        assert_eq!(invalid(&format!("filter={bad}")), ["filter"], "{bad:?}");
    }
    let many: Vec<_> = (0..65).map(|n| format!("name eq '{n}'")).collect();
    assert_eq!(invalid(&format!("filter={}", many.join(","))), ["filter"]);
}

#[test]
fn a_wide_shape_takes_every_character_but_quotes_and_controls() {
    let wide = Shape { name: "", fields: SHAPE.fields, takes: Parameter::ALL, wide_values: true };
    let errors = |raw: &str| ListQuery::parse(&wide, raw).1.invalid.len();
    assert_eq!(errors("filter=name eq 'acme%2Bci ~(*) Zo%C3%AB%25'"), 0);
    for bad in ["name eq 'a%0Ab'", "name eq ''", "name eq 'a'b'", "name eq '%FF'"] {
        assert_eq!(errors(&format!("filter={bad}")), 1, "{bad}");
    }
}

#[test]
fn instants_compare_exactly_whatever_the_number_of_digits() {
    let read = |text: &str| text.parse::<Instant>().expect("an instant");
    let same = ["2024-03-01T10:00:10Z", "2024-03-01T10:00:10.0Z", "2024-03-01T10:00:10,000000000Z"];
    for text in same {
        assert_eq!(read(text).millis(), (1_709_287_210_000, true), "{text}");
    }
    assert!(read("2024-03-01T10:00:02.123456Z") < read("2024-03-01T10:00:02.123456001Z"));
    assert_eq!(read("2024-03-01T10:00:02.123456Z").millis(), (1_709_287_202_123, false));
    assert_eq!(read("1969-12-31T23:59:59.999999999Z").millis(), (-1, false));
    assert_eq!(read("0000-01-01T00:00:00Z").millis(), (-62_167_219_200_000, true));
    assert_eq!(read("9999-12-31T23:59:59.999Z").millis(), (253_402_300_799_999, true));
    for bad in [
        "",
        "2024-03-01",
        "2024-03-01T10:00:00",
        "2024-03-01t10:00:00Z",
        "2024-03-01T10:00:00z",
        "2024-03-01 10:00:00Z",
        "2024-13-01T10:00:00Z",
        "2024-00-01T10:00:00Z",
        "2024-03-00T10:00:00Z",
        "2023-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2024-03-01T24:00:00Z",
        "2024-03-01T10:60:00Z",
        "2024-03-01T10:00:60Z",
        "2024-03-01T10:00:00.Z",
        "2024-03-01T10:00:00.1234567890Z",
        "2024-03-01T10:00:00.1+00:00",
        "+024-03-01T10:00:00Z",
        "2024-03-01T10:00:00.-1Z",
        "２024-03-01T10:00:00Z",
        "2024-03-01T10:00:00Z ",
        "2024-03-01T10:00:00ZZ",
    ] {
        assert!(bad.parse::<Instant>().is_err(), "{bad:?}");
    }
}

#[test]
fn instants_are_shown_with_six_digits() {
    let shown = |at| instant::show(UnixMillis(at)).to_string();
    assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(shown(1_709_287_202_123), "2024-03-01T10:00:02.123000Z");
    assert_eq!(shown(951_782_400_007), "2000-02-29T00:00:00.007000Z");
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(at in -62_167_219_200_000i64..253_402_300_800_000) {
        let text = instant::show(UnixMillis(at)).to_string();
        prop_assert_eq!(text.parse::<Instant>().expect("an instant").millis(), (at, true));
    }

    #[test]
    fn an_instant_compares_with_milliseconds_as_in_nanoseconds(
        kept in 0i64..1_000_000, nanos in 0i64..1_000_000_000,
    ) {
        let text = format!("1970-01-01T00:00:00.{nanos:09}Z");
        let (millis, exact) = text.parse::<Instant>().expect("an instant").millis();
        let (left, right) = (kept * 1_000_000, nanos);
        prop_assert_eq!(left == right, exact && kept == millis);
        prop_assert_eq!(left < right, if exact { kept < millis } else { kept <= millis });
        prop_assert_eq!(left > right, kept > millis);
    }

    #[test]
    fn a_clause_reads_back_as_it_is_written(value in "[0-9A-Za-z \",\\-./:;<=>?@\\[\\\\\\]^_{}]{1,30}") {
        let text = format!("name in '{value}',id eq '{value}'");
        let clauses = filter::parse(&SHAPE, &text).expect("a filter");
        let again: Vec<_> = clauses.iter().map(ToString::to_string).collect();
        prop_assert_eq!(again.join(","), text);
    }

    #[test]
    fn no_query_string_makes_it_panic(raw in "\\PC{0,60}|[a-z%+&='.,\\[\\]*0-9 ]{0,60}") {
        let (query, error) = ListQuery::parse(&SHAPE, &raw);
        prop_assert!(query.filter.is_none() || raw.contains("filter"));
        prop_assert!(error.invalid.iter().all(|bad| raw.to_lowercase().contains(&bad.name.to_lowercase()) || raw.contains('%')));
    }
}
