//! Both engines have the same tables, columns and indices.

use std::collections::{BTreeMap, BTreeSet};

use claviger_tests::scratch::{Engine, Noted, Scratch, apart};

/// What a column is: its type in common words, and whether it may be NULL.
type Columns = BTreeMap<String, (&'static str, bool)>;
/// An index: whether it is unique, its columns, and its name where we gave it one.
type Index = (bool, Vec<String>, Option<String>);
/// A reference: column, table, column, what happens when that row goes.
type Reference = (String, String, String, String);

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    columns: Columns,
    primary: Vec<String>,
    indices: BTreeSet<Index>,
    references: BTreeSet<Reference>,
}

type Schema = BTreeMap<String, Table>;

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_indices() {
    let (sqlite, postgres) = (Scratch::new(Engine::Sqlite), Scratch::new(Engine::Postgres));
    sqlite.open(&Noted::default().into()).close();
    let (a, b) = (of_sqlite(&sqlite), apart(|| of_postgres(&postgres)));
    let names = |schema: &Schema| schema.keys().cloned().collect::<Vec<_>>();
    assert!(a.len() > 20, "{:?}", names(&a));
    assert_eq!(names(&a), names(&b));
    for (name, table) in &a {
        assert_eq!(table, &b[name], "table {name}");
    }
}

fn of_sqlite(scratch: &Scratch) -> Schema {
    let file = scratch.folder().join("claviger.db");
    let connection = rusqlite::Connection::open(file).expect("the file");
    let list = |sql: &str| -> Vec<Vec<String>> {
        let mut statement = connection.prepare(sql).expect("a statement");
        let width = statement.column_count();
        let text = |row: &rusqlite::Row<'_>, at| -> rusqlite::Result<String> {
            Ok(match row.get::<_, rusqlite::types::Value>(at)? {
                rusqlite::types::Value::Integer(n) => n.to_string(),
                rusqlite::types::Value::Text(text) => text,
                _ => String::new(),
            })
        };
        let rows = statement.query_map([], |row| (0..width).map(|at| text(row, at)).collect());
        rows.expect("rows").map(|row| row.expect("a row")).collect()
    };
    let mut schema = Schema::new();
    for table in list("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        let [name] = &table[..] else { unreachable!() };
        let mut made = Table::default();
        for column in list(&format!(
            "SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}') ORDER BY pk"
        )) {
            let [column, kind, not_null, primary] = &column[..] else { unreachable!() };
            if primary != "0" {
                made.primary.push(column.clone());
            }
            let kind = match kind.as_str() {
                "INTEGER" => "number",
                "TEXT" => "text",
                "BLOB" => "bytes",
                other => panic!("{name}.{column} is {other}"),
            };
            made.columns.insert(column.clone(), (kind, not_null == "0" && primary == "0"));
        }
        for index in
            list(&format!("SELECT name, \"unique\", origin FROM pragma_index_list('{name}')"))
        {
            let [index, unique, origin] = &index[..] else { unreachable!() };
            let columns = list(&format!("SELECT name FROM pragma_index_info('{index}')")).concat();
            if origin != "pk" {
                let given = (origin == "c").then(|| index.clone());
                made.indices.insert((unique == "1", columns, given));
            }
        }
        for reference in list(&format!(
            "SELECT \"from\", \"table\", \"to\", on_delete FROM pragma_foreign_key_list('{name}')"
        )) {
            let [from, table, to, on_delete] = &reference[..] else { unreachable!() };
            made.references.insert((from.clone(), table.clone(), to.clone(), on_delete.clone()));
        }
        schema.insert(name.clone(), made);
    }
    schema
}

fn of_postgres(scratch: &Scratch) -> Schema {
    let mut client =
        postgres::Client::connect(scratch.address(), postgres::NoTls).expect("it answers");
    let mut schema = Schema::new();
    let columns =
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attnotnull,
            co.collname::text
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
            AND NOT a.attisdropped
         LEFT JOIN pg_collation co ON co.oid = a.attcollation
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace";
    for row in client.query(columns, &[]).expect("columns") {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let kind = match kind.as_str() {
            "bigint" => "number",
            "bytea" => "bytes",
            "text" => {
                let collation: Option<String> = row.get(4);
                assert_eq!(collation.as_deref(), Some("C"), "{table}.{column} compares by bytes");
                "text"
            }
            other => panic!("{table}.{column} is {other}"),
        };
        let not_null: bool = row.get(3);
        schema.entry(table).or_default().columns.insert(column, (kind, !not_null));
    }
    let indices = "SELECT t.relname::text, i.relname::text, x.indisunique, x.indisprimary,
            array(SELECT a.attname::text FROM unnest(x.indkey) WITH ORDINALITY k (attnum, at)
                JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum ORDER BY k.at),
            EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid AND contype IN ('u', 'p'))
         FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
         WHERE t.relnamespace = 'public'::regnamespace";
    for row in client.query(indices, &[]).expect("indices") {
        let (table, index, unique, primary): (String, String, bool, bool) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let (columns, constraint): (Vec<String>, bool) = (row.get(4), row.get(5));
        let table = schema.get_mut(&table).expect("a table");
        if primary {
            table.primary = columns;
        } else {
            table.indices.insert((unique, columns, (!constraint).then_some(index)));
        }
    }
    let references =
        "SELECT k.conrelid::regclass::text, a.attname::text, k.confrelid::regclass::text,
            b.attname::text, k.confdeltype::text
         FROM pg_constraint k
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
         JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[1]
         WHERE k.contype = 'f'";
    for row in client.query(references, &[]).expect("references") {
        let (table, from, to, column): (String, String, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let on_delete = match row.get::<_, String>(4).as_str() {
            "c" => "CASCADE",
            "n" => "SET NULL",
            "a" => "NO ACTION",
            other => panic!("{table}.{from}: {other}"),
        };
        let reference = (from, to, column, on_delete.to_owned());
        schema.get_mut(&table).expect("a table").references.insert(reference);
    }
    schema
}
