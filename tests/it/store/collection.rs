//! Collections: what a random query gives is what a simple evaluator gives, on both engines; pages
//! hold together while others write; and the engines read by the indices that are there for it.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use claviger_domain::{
    UnixMillis,
    collection::{
        Asked, Clause, Field, Instant, Kind, ListQuery, Operand, Operator, Order, Parameter,
        Position, QueryError, Shape, instant,
    },
    id::PrincipalId,
};
use claviger_store::{Db, Query, Stmt, Tx, api_tokens};
use claviger_tests::{
    both,
    scratch::{Engine, Noted, Scratch},
    stands::SeededChance,
};

static SHAPE: Shape = Shape {
    name: "test/tokens",
    fields: &[
        Field::constant("version", "1.0"),
        Field::text("id", "id"),
        Field::text("name", "name"),
        Field::text("owner", "owner"),
        Field::instant("created", "created_at"),
        Field::instant("modified", "modified_at"),
        Field::text("creator", "created_by"),
        Field::text("modifier", "modified_by"),
        Field::text("metadata.labels[*].name", "label_name"),
        Field::text("metadata.labels[*].value", "label_value"),
    ],
    takes: Parameter::ALL,
    wide_values: true,
};

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const OWNER: &str = "a1b0d4c7-d9d4-4da2-965e-bdab172e1a5a";
const OTHER: &str = "80f19347-13cf-4e85-8460-abe7904ad922";
const NOW: UnixMillis = UnixMillis(1_709_290_000_000);
const CREATED: i64 = 1_709_287_200_000;

const INSERT: Stmt = Stmt::same(
    "INSERT INTO token (id, kind, account_id, principal_id, principal_name, name, created_by,
        created_at, expires_at, revoked_at, created_by_id, modified_at, modified_by_id)
     VALUES ($1, $2, $3, $4, '', $5, '', $6, $7, $8, $9, $10, $11)",
);
const LABEL: Stmt =
    Stmt::same("INSERT INTO label (object_id, position, name, value) VALUES ($1, $2, $3, $4)");
const DELETE: Stmt = Stmt::same("DELETE FROM token WHERE id = $1");
const ANALYZE: Stmt = Stmt::split("UPDATE revision SET n = n WHERE n < 0", "ANALYZE token");

/// A token as the evaluator knows it.
#[derive(Clone, Debug)]
struct Thing {
    id: String,
    kind: &'static str,
    owner: &'static str,
    name: String,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
    creator: Option<&'static str>,
    modified: Option<i64>,
    modifier: Option<&'static str>,
    labels: Vec<(&'static str, &'static str)>,
}

const NAMES: [&str; 14] = [
    "a",
    "A",
    "alpha",
    "Alpha",
    "ci-runner-10",
    "ci-runner-2",
    "NetApp, Inc.",
    "key:prod",
    "key-prod",
    "x_y",
    "x%y",
    "Zoë",
    "\u{ffff}",
    "\u{1f600}",
];

fn uuid(chance: &SeededChance) -> String {
    PrincipalId::random(chance).to_string()
}

fn random_thing(chance: &SeededChance) -> Thing {
    let person = |chance: &SeededChance| *chance.pick(&[None, Some(OWNER), Some(OTHER)]);
    let time =
        |chance: &SeededChance| CREATED + i64::try_from(chance.below(20)).expect("small") * 500;
    let rarely = |chance: &SeededChance, at: i64| (chance.below(8) == 0).then_some(at);
    let labels = (0..chance.below(4))
        .map(|_| (*chance.pick(&["env", "team", "Env"]), *chance.pick(&["prod", "ci", ""])))
        .collect();
    let kind = *chance.pick(&["api", "api", "api", "api", "app"]);
    let owner = *chance.pick(&[OWNER, OWNER, OWNER, OTHER]);
    Thing {
        id: uuid(chance),
        kind,
        owner,
        name: (*chance.pick(&NAMES)).to_owned(),
        created: time(chance),
        expires: *chance.pick(&[None, None, Some(NOW.0), Some(NOW.0 + 1)]),
        revoked: rarely(chance, NOW.0),
        creator: person(chance),
        modified: (chance.below(2) == 0).then(|| time(chance)),
        modifier: person(chance),
        labels,
    }
}

fn insert(tx: &mut Tx<'_>, thing: &Thing) {
    let row = [
        (&thing.id).into(),
        thing.kind.into(),
        OWNER.into(),
        thing.owner.into(),
        (&thing.name).into(),
        thing.created.into(),
        thing.expires.into(),
        thing.revoked.into(),
        thing.creator.into(),
        thing.modified.into(),
        thing.modifier.into(),
    ];
    tx.execute(&INSERT, &row).expect("a row");
    for (position, (name, value)) in (0..).zip(&thing.labels) {
        let row = [(&thing.id).into(), i64::into(position), (*name).into(), (*value).into()];
        tx.execute(&LABEL, &row).expect("a label");
    }
}

async fn insert_all(db: &Db, things: Vec<Thing>) {
    db.write(move |tx| {
        for thing in &things {
            insert(tx, thing);
        }
        Ok(())
    })
    .await
    .expect("rows");
}

impl Thing {
    /// Whether the collection has it at all.
    fn listed(&self) -> bool {
        let lives = self.expires.is_none_or(|end| end > NOW.0);
        self.owner == OWNER && self.kind == "api" && self.revoked.is_none() && lives
    }

    /// What it has in a field: texts, as they are shown.
    fn texts(&self, field: &Field) -> Vec<String> {
        let shown = |at| instant::show(UnixMillis(at)).to_string();
        match field.path {
            "version" => vec!["1.0".to_owned()],
            "id" => vec![self.id.clone()],
            "name" => vec![self.name.clone()],
            "owner" => vec![self.owner.to_owned()],
            "created" => vec![shown(self.created)],
            "modified" => vec![shown(self.modified.unwrap_or(self.created))],
            "creator" => vec![self.creator.unwrap_or(NIL).to_owned()],
            "modifier" => self.modifier.iter().map(ToString::to_string).collect(),
            "metadata.labels[*].name" => self.labels.iter().map(|l| l.0.to_owned()).collect(),
            "metadata.labels[*].value" => self.labels.iter().map(|l| l.1.to_owned()).collect(),
            other => panic!("no field {other}"),
        }
    }

    fn fits(&self, clause: &Clause) -> bool {
        self.texts(clause.field).iter().any(|text| match clause.operand() {
            Operand::Text(value) if clause.operator == Operator::In => text.contains(value),
            // by code points
            Operand::Text(value) => {
                let (left, right): (Vec<char>, Vec<char>) =
                    (text.chars().collect(), value.chars().collect());
                clause.operator.holds(&left, &right)
            }
            Operand::Instant(value) => {
                clause.operator.holds(&text.parse::<Instant>().expect("an instant"), &value)
            }
        })
    }

    fn compare(&self, other: &Self, order: Order) -> Ordering {
        let by_key = match order.field {
            None => self.created.cmp(&other.created),
            Some(field) => {
                let (left, right) = (self.texts(field), other.texts(field));
                match (left.first(), right.first()) {
                    // what has none comes last, whatever the direction
                    (None, None) => Ordering::Equal,
                    (None, Some(_)) => return Ordering::Greater,
                    (Some(_), None) => return Ordering::Less,
                    (Some(left), Some(right)) => left.cmp(right),
                }
            }
        };
        let by_key = if order.descending { by_key.reverse() } else { by_key };
        by_key.then_with(|| self.id.cmp(&other.id))
    }
}

/// The ids that a query gives, by the simplest means.
fn naive(things: &[Thing], asked: &Asked) -> Vec<String> {
    let fits = |thing: &&Thing| thing.listed() && asked.filter.iter().all(|c| thing.fits(c));
    let mut found: Vec<&Thing> = things.iter().filter(fits).collect();
    found.sort_by(|a, b| a.compare(b, asked.order));
    found.iter().map(|thing| thing.id.clone()).collect()
}

fn parse(raw: &str) -> Asked {
    let (query, error) = ListQuery::parse(&SHAPE, raw);
    assert_eq!(error, QueryError::default(), "{raw}");
    Asked {
        include: query.include,
        limit: query.limit,
        skip: query.skip.unwrap_or(0),
        count: query.count,
        filter: query.filter.unwrap_or_default(),
        order: query.order.unwrap_or(Order { field: None, descending: false }),
        after: None,
    }
}

fn random_query(chance: &SeededChance, things: &[Thing]) -> String {
    let mut raw = Vec::new();
    for _ in 0..chance.below(4) {
        let field = chance.pick(SHAPE.fields);
        let mut operator = *chance.pick(&["eq", "lt", "gt", "lte", "gte", "in"]);
        let thing = chance.pick(things);
        let mut value =
            chance.pick(&[thing.texts(field), vec![]]).first().cloned().unwrap_or("a".to_owned());
        if field.kind == Kind::Instant && operator != "in" {
            let digits = *chance.pick(&["", ".0", ".5", ".500", ".000001", ",499999999"]);
            value = format!("2024-03-01T10:00:{:02}{digits}Z", chance.below(11));
        } else if chance.below(3) == 0 {
            let (from, to) = (chance.below(4), chance.below(30));
            value = value.chars().skip(from).take(to).collect();
        }
        if value.is_empty() {
            (operator, value) = ("in", "2".to_owned());
        }
        let value = value.replace('%', "%25");
        raw.push(format!("filter={} {operator} '{value}'", field.path));
    }
    let orderable: Vec<_> = SHAPE.fields.iter().filter(|f| !f.path.contains('.')).collect();
    if chance.below(4) > 0 {
        let direction = *chance.pick(&["", " desc"]);
        raw.push(format!("orderBy={}{direction}", chance.pick(&orderable).path));
    }
    if chance.below(3) == 0 {
        raw.push(format!("skip={}", 1 + chance.below(6)));
    }
    raw.push(format!("limit={}", 1 + chance.below(9)));
    raw.push("count=true".to_owned());
    raw.join("&")
}

fn owner() -> PrincipalId {
    OWNER.parse().expect("an id")
}

/// A page: its ids, the count, where it ended.
async fn page(db: &Db, asked: &Asked) -> (Vec<String>, Option<u64>, Option<Position>) {
    let asked = asked.clone();
    let page = db.read(move |q: &mut dyn Query| Ok(api_tokens::page(q, &owner(), NOW, &asked)?));
    let page = page.await.expect("a page");
    (page.items.iter().map(|token| token.id.to_string()).collect(), page.count, page.end)
}

both! {
    async fn pages_of_random_queries_are_what_a_simple_evaluator_gives(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = scratch.open(&Arc::<Noted>::default());
        let chance = SeededChance::new(0xc011);
        let things: Vec<_> = (0..120).map(|_| random_thing(&chance)).collect();
        insert_all(&db, things.clone()).await;
        let mut seen = 0;
        for _ in 0..400 {
            let raw = random_query(&chance, &things);
            let mut asked = parse(&raw);
            let expected = naive(&things, &asked);
            let skip = usize::try_from(asked.skip).expect("small");
            let limit = usize::try_from(asked.limit.expect("a limit")).expect("small");
            let mut walked = Vec::new();
            loop {
                let (ids, count, end) = page(&db, &asked).await;
                assert_eq!(count, Some(expected.len() as u64), "{raw}");
                assert!(ids.len() == limit || end.is_none(), "{raw}");
                walked.extend(ids);
                asked.after = end;
                if asked.after.is_none() {
                    break;
                }
            }
            assert_eq!(walked, expected.iter().skip(skip).cloned().collect::<Vec<_>>(), "{raw}");
            seen += walked.len();
        }
        assert!(seen > 2000, "only {seen} items were seen");
    }

    async fn pages_hold_what_lived_throughout_exactly_once_while_others_write(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = scratch.open(&Arc::<Noted>::default());
        let chance = SeededChance::new(0xc012);
        for order in ["", "&orderBy=name", "&orderBy=name desc", "&orderBy=id desc", "&orderBy=modifier"] {
            let fresh = |chance: &SeededChance| {
                let thing = random_thing(chance);
                Thing { owner: OWNER, kind: "api", expires: None, revoked: None, ..thing }
            };
            let stay: Vec<_> = (0..60).map(|_| fresh(&chance)).collect();
            let mut go: Vec<_> = (0..60).map(|_| fresh(&chance)).collect();
            insert_all(&db, [stay.clone(), go.clone()].concat()).await;
            let mut asked = parse(&format!("limit=7{order}"));
            let mut walked = Vec::new();
            loop {
                let (ids, _, end) = page(&db, &asked).await;
                walked.extend(ids);
                let come: Vec<_> = (0..3).map(|_| fresh(&chance)).collect();
                let gone: Vec<_> = (0..4).filter_map(|_| {
                    let at = chance.below(go.len().max(1));
                    (at < go.len()).then(|| go.swap_remove(at).id)
                }).collect();
                go.extend(come.clone());
                db.write(move |tx| {
                    for thing in &come {
                        insert(tx, thing);
                    }
                    for id in &gone {
                        tx.execute(&DELETE, &[id.into()])?;
                    }
                    Ok(())
                })
                .await
                .expect("writes");
                asked.after = end;
                if asked.after.is_none() {
                    break;
                }
            }
            let once: BTreeSet<_> = walked.iter().collect();
            assert_eq!(once.len(), walked.len(), "twice in {order:?}");
            assert!(stay.iter().all(|thing| once.contains(&thing.id)), "missing in {order:?}");
            let rest: Vec<_> = stay.into_iter().chain(go).map(|thing| thing.id).collect();
            db.write(move |tx| {
                for id in &rest {
                    tx.execute(&DELETE, &[id.into()])?;
                }
                Ok(())
            })
            .await
            .expect("an empty collection");
        }
    }

    async fn pages_are_read_by_the_indices_of_their_order(engine: Engine) {
        let scratch = Scratch::new(engine);
        let db = scratch.open(&Arc::<Noted>::default());
        let chance = SeededChance::new(0xc013);
        // one user's among many
        let things: Vec<_> = (0..6000).map(|number| Thing {
            name: format!("token {number}"),
            owner: if number % 20 == 0 { OWNER } else { OTHER },
            labels: Vec::new(),
            ..random_thing(&chance)
        }).collect();
        insert_all(&db, things).await;
        db.write(|tx| Ok(tx.execute(&ANALYZE, &[]).map(drop)?)).await.expect("statistics");
        let explain = async |raw: &str, after: Option<Position>| {
            let asked = Asked { after, ..parse(raw) };
            let plan = db.read(move |q: &mut dyn Query| Ok(api_tokens::explain(q, &owner(), NOW, &asked)?));
            plan.await.expect("a plan")
        };
        let after = |key| Some(Position { key, id: OWNER.to_owned() });
        let text = claviger_domain::collection::Key::Text("token 2".to_owned());
        let int = claviger_domain::collection::Key::Int(CREATED + 500);
        let sorts = |plan: &str| plan.contains("TEMP B-TREE") || plan.contains("Sort");
        for (order, index, key) in [
            ("limit=5", "token_api_created", Some(int)),
            ("limit=5&orderBy=name", "token_api_name", Some(text.clone())),
            ("limit=5&orderBy=id", "token_api_id", None),
            ("limit=5&orderBy=id desc", "token_api_id", None),
            ("limit=5&orderBy=version", "token_api_id", None),
            ("limit=5&orderBy=owner", "token_api_id", None),
        ] {
            for position in [None, after(key)] {
                let from = position.is_some();
                let plan = explain(order, position).await;
                assert!(plan.contains(index) && !sorts(&plan), "{order}, {from}: {plan}");
                if from {
                    let bounded = ["(created_at,id)>", "(name,id)>", "id>", "id<", "ROW(", "id >", "id <"];
                    assert!(bounded.iter().any(|b| plan.contains(b)), "{order}: {plan}");
                }
            }
        }
        // downwards equal names are sorted by id, and nothing more
        for position in [None, after(Some(text))] {
            let plan = explain("limit=5&orderBy=name desc", position).await;
            let within = ["LAST TERM OF ORDER BY", "RIGHT PART OF ORDER BY", "Incremental Sort"];
            assert!(plan.contains("token_api_name"), "{plan}");
            assert!(within.iter().any(|part| plan.contains(part)), "{plan}");
        }
        // one pass over an index that has all that is asked
        if engine == Engine::Sqlite {
            let labels = "count=true&filter=metadata.labels[*].name eq 'x'";
            for raw in ["count=true", "count=true&filter=name in '7'", labels] {
                let plan = explain(raw, None).await;
                assert!(plan.contains("COVERING INDEX token_api"), "{raw}: {plan}");
            }
        }
    }
}
