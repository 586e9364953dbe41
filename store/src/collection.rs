//! Pages of a collection: what was asked ([`Asked`]) becomes one statement.
//!
//! Whatever a stranger sent is a parameter; names of columns come from the static [`Source`] that
//! the noun's file declares beside its statements. A page begins behind the last one's position
//! (sort key, then id), so that it costs what it returns where an index has that order, however far
//! behind it lies; otherwise one pass over the rows of the scope, of which the engine keeps a page.

use claviger_domain::collection::{
    Asked, Clause, Field, Key, Kind, Operand, Operator, Order, Position,
};

use crate::db::{Composed, Engine, Param, Query, Row, StoreError, Value};

/// The most items of one page, asked or not.
pub const MAX_PAGE: u64 = 1000;

/// Where the items of a collection come from.
#[derive(Debug)]
pub struct Source {
    /// The tables, as they follow `FROM`.
    pub from: &'static str,
    /// What an item is read from, counted from 0.
    pub columns: &'static str,
    /// Its id, which settles ties.
    pub id: &'static str,
    /// When it was made, which orders when nothing else does; never NULL.
    pub created: &'static str,
    /// What its fields hold, by the names that [`Field::column`] uses.
    pub fields: &'static [(&'static str, Column)],
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    sqlite: &'static str,
    postgres: &'static str,
    nature: Nature,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    /// Never NULL.
    Whole,
    /// Perhaps NULL.
    Nullable,
    /// The same in every item of a scope, so that it orders nothing.
    Same,
    /// One of several rows, which this selects.
    Any(&'static str),
}

impl Column {
    /// A column that is never NULL.
    pub const fn whole(sql: &'static str) -> Self {
        Self { sqlite: sql, postgres: sql, nature: Nature::Whole }
    }

    /// A column that may be NULL.
    pub const fn nullable(sql: &'static str) -> Self {
        Self { nature: Nature::Nullable, ..Self::whole(sql) }
    }

    /// A column that is the same in every item of a scope.
    pub const fn same(sql: &'static str) -> Self {
        Self { nature: Nature::Same, ..Self::whole(sql) }
    }

    /// The value `sql` of any of the rows of `select`, such as
    /// `SELECT 1 FROM label l WHERE l.object_id = t.id`.
    pub const fn any(select: &'static str, sql: &'static str) -> Self {
        Self { nature: Nature::Any(select), ..Self::whole(sql) }
    }

    /// The same, but written so for PostgreSQL. A text that is not simply a column must say
    /// `COLLATE "C"` there.
    #[must_use]
    pub const fn postgres(self, sql: &'static str) -> Self {
        Self { postgres: sql, ..self }
    }

    const fn sql(self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// Which items a caller may see at all: a condition, and the values of its `$1`, `$2`, …
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// What follows `WHERE`.
    pub condition: &'static str,
    /// Its values, each of which it uses.
    pub values: &'a [Param<'a>],
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// How many match in all, when that was asked.
    pub count: Option<u64>,
    /// Where it ended; `None`: there are no more.
    pub end: Option<Position>,
}

impl<T> Page<T> {
    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        let Self { items, count, end } = self;
        Page { items: items.into_iter().map(f).collect(), count, end }
    }

    /// The same, where one of them may fail.
    ///
    /// # Errors
    /// What `f` says.
    pub fn try_map<U, E>(self, f: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let Self { items, count, end } = self;
        Ok(Page { items: items.into_iter().map(f).collect::<Result<_, _>>()?, count, end })
    }
}

/// The page that `asked` describes, of those items of `source` that are in `scope`.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn page<T>(
    q: &mut dyn Query,
    source: &Source,
    scope: Scope<'_>,
    asked: &Asked,
    item: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let most = asked.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let sort = Sort::of(source, asked.order, q.engine())?;
    let (sql, params) = select(source, scope, asked, sort, most + 1)?;
    let mut rows = q.once(&sql, &params)?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    let end = rows.last().filter(|_| more).map(|row| sort.position(row)).transpose()?;
    let count = if asked.count { Some(count(q, source, scope, &asked.filter)?) } else { None };
    Ok(Page { items: rows.iter().map(item).collect::<Result<_, _>>()?, count, end })
}

/// How many items of `source` are in `scope` and fit `filter`.
///
/// # Errors
/// For trouble with the database.
pub fn count(
    q: &mut dyn Query,
    source: &Source,
    scope: Scope<'_>,
    filter: &[Clause],
) -> Result<u64, StoreError> {
    let mut composer = Composer::new(q.engine(), "SELECT COUNT(*)", source, scope);
    composer.filter(source, filter)?;
    let (sql, params) = composer.done();
    let rows = q.once(&sql, &params)?;
    let counted = rows.first().ok_or(StoreError::Column { column: 0 })?.int(0)?;
    u64::try_from(counted).map_err(|_| StoreError::Column { column: 0 })
}

/// How the engine reads the page and counts the matches, as it says itself: for tests.
///
/// # Errors
/// For trouble with the database.
pub fn explain(
    q: &mut dyn Query,
    source: &Source,
    scope: Scope<'_>,
    asked: &Asked,
) -> Result<String, StoreError> {
    let engine = q.engine();
    let sort = Sort::of(source, asked.order, engine)?;
    let (sql, params) = if asked.count {
        let mut composer = Composer::new(engine, "SELECT COUNT(*)", source, scope);
        composer.filter(source, &asked.filter)?;
        composer.done()
    } else {
        select(source, scope, asked, sort, asked.limit.unwrap_or(MAX_PAGE) + 1)?
    };
    let (explain, column) = match engine {
        Engine::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        Engine::Postgres => ("EXPLAIN", 0),
    };
    let rows = q.once(&Composed::new(format!("{explain} {}", sql.as_str())), &params)?;
    let lines = rows.iter().map(|row| row.text(column)).collect::<Result<Vec<_>, _>>()?;
    Ok(lines.join("\n"))
}

fn select<'a>(
    source: &Source,
    scope: Scope<'a>,
    asked: &'a Asked,
    sort: Sort,
    most: u64,
) -> Result<(Composed, Vec<Param<'a>>), StoreError> {
    let engine = sort.engine;
    let columns = match sort.key {
        Some(key) => format!("SELECT {}, {}, {}", source.columns, key.sql(engine), sort.id),
        None => format!("SELECT {}, {}", source.columns, sort.id),
    };
    let mut composer = Composer::new(engine, &columns, source, scope);
    composer.filter(source, &asked.filter)?;
    if let Some(after) = &asked.after {
        composer.after(sort, after);
    }
    composer.order(sort);
    composer.sql.push_str(" LIMIT ");
    composer.value(number(most));
    if asked.skip > 0 && asked.after.is_none() {
        composer.sql.push_str(" OFFSET ");
        composer.value(number(asked.skip));
    }
    Ok(composer.done())
}

fn number(number: u64) -> Param<'static> {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// What the rows are ordered by.
#[derive(Clone, Copy)]
struct Sort {
    /// What comes before the id; `None`: nothing.
    key: Option<Column>,
    id: &'static str,
    descending: bool,
    engine: Engine,
}

impl Sort {
    fn of(source: &Source, order: Order, engine: Engine) -> Result<Self, StoreError> {
        let by = |key, descending| Self { key, id: source.id, descending, engine };
        let Some(field) = order.field else {
            return Ok(by(Some(Column::whole(source.created)), order.descending));
        };
        if matches!(field.kind, Kind::Constant(_)) {
            return Ok(by(None, false));
        }
        let column = find(source, field)?;
        Ok(match column.nature {
            Nature::Same => by(None, false),
            _ if column.sql(engine) == source.id => by(None, order.descending),
            _ => by(Some(column), order.descending),
        })
    }

    /// Where `row` is, which ends with its key and its id.
    fn position(self, row: &Row) -> Result<Position, StoreError> {
        let last = row.0.len().saturating_sub(1);
        let key = match (self.key, last.checked_sub(1).and_then(|at| row.0.get(at))) {
            (Some(_), Some(Value::Int(number))) => Some(Key::Int(*number)),
            (Some(_), Some(Value::Text(text))) => Some(Key::Text(text.clone())),
            _ => None,
        };
        Ok(Position { key, id: row.text(last)?.to_owned() })
    }
}

fn find(source: &Source, field: &Field) -> Result<Column, StoreError> {
    let found = source.fields.iter().find(|(name, _)| *name == field.column);
    let missing = || StoreError::Statement(format!("no column `{}`", field.column).into());
    found.map(|(_, column)| *column).ok_or_else(missing)
}

/// Puts a statement together.
struct Composer<'a> {
    engine: Engine,
    sql: String,
    params: Vec<Param<'a>>,
}

impl<'a> Composer<'a> {
    fn new(engine: Engine, select: &str, source: &Source, scope: Scope<'a>) -> Self {
        let sql = format!("{select} FROM {} WHERE ({})", source.from, scope.condition);
        Self { engine, sql, params: scope.values.to_vec() }
    }

    fn done(self) -> (Composed, Vec<Param<'a>>) {
        (Composed::new(self.sql), self.params)
    }

    fn text(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// Puts a parameter here.
    fn value(&mut self, value: Param<'a>) {
        self.params.push(value);
        self.sql.push('$');
        self.sql.push_str(&self.params.len().to_string());
    }

    fn filter(&mut self, source: &Source, filter: &'a [Clause]) -> Result<(), StoreError> {
        for clause in filter {
            self.text(" AND ");
            if let (Kind::Constant(text), Operand::Text(value)) =
                (clause.field.kind, clause.operand())
            {
                let holds = match clause.operator {
                    Operator::In => text.contains(value),
                    operator => operator.holds(text, value),
                };
                self.text(if holds { "1 = 1" } else { "1 = 0" });
                continue;
            }
            let column = find(source, clause.field)?;
            let sql = column.sql(self.engine);
            if let Nature::Any(select) = column.nature {
                self.text(&format!("EXISTS ({select} AND "));
                self.compare(sql, clause);
                self.text(")");
            } else {
                self.compare(sql, clause);
            }
        }
        Ok(())
    }

    fn compare(&mut self, sql: &str, clause: &'a Clause) {
        match (clause.operator, clause.operand()) {
            (Operator::In, Operand::Text(value)) => {
                let text = match clause.field.kind {
                    Kind::Instant => shown(self.engine, sql),
                    Kind::Text | Kind::Constant(_) | Kind::Object => sql.to_owned(),
                };
                let function = match self.engine {
                    Engine::Sqlite => "instr",
                    Engine::Postgres => "strpos",
                };
                self.text(&format!("{function}({text}, "));
                self.value(value.into());
                self.text(") > 0");
            }
            (operator, Operand::Text(value)) => {
                self.text(&format!("{sql} {} ", sign(operator)));
                self.value(value.into());
            }
            (operator, Operand::Instant(instant)) => {
                // what is kept is whole milliseconds: one between two of them equals none
                let (millis, exact) = instant.millis();
                let operator = match operator {
                    Operator::Eq if !exact => return self.text("1 = 0"),
                    Operator::Lt if !exact => Operator::Lte,
                    Operator::Gte if !exact => Operator::Gt,
                    operator => operator,
                };
                self.text(&format!("{sql} {} ", sign(operator)));
                self.value(millis.into());
            }
        }
    }

    /// Only what comes after a position.
    fn after(&mut self, sort: Sort, after: &'a Position) {
        let id = sort.id;
        let key = after.key.as_ref().map(|key| match key {
            Key::Int(number) => (*number).into(),
            Key::Text(text) => Param::from(text),
        });
        self.text(" AND (");
        match (sort.key, key) {
            (None, _) => {
                self.text(&format!("{id} {} ", if sort.descending { "<" } else { ">" }));
                self.value((&after.id).into());
            }
            // what has no value comes last
            (Some(column), None) => {
                self.text(&format!("{} IS NULL AND {id} > ", column.sql(sort.engine)));
                self.value((&after.id).into());
            }
            (Some(column), Some(key)) => {
                let sql = column.sql(sort.engine);
                if sort.descending {
                    self.text(&format!("{sql} <= "));
                    self.value(key);
                    self.text(&format!(" AND ({sql} < "));
                    self.value(key);
                    self.text(&format!(" OR {id} > "));
                    self.value((&after.id).into());
                    self.text(")");
                } else {
                    self.text(&format!("({sql}, {id}) > ("));
                    self.value(key);
                    self.text(", ");
                    self.value((&after.id).into());
                    self.text(")");
                }
                if column.nature == Nature::Nullable {
                    self.text(&format!(" OR {sql} IS NULL"));
                }
            }
        }
        self.text(")");
    }

    fn order(&mut self, sort: Sort) {
        let (id, direction) = (sort.id, if sort.descending { " DESC" } else { "" });
        let order = match sort.key {
            None => format!(" ORDER BY {id}{direction}"),
            Some(column) => {
                let sql = column.sql(sort.engine);
                let last = if column.nature == Nature::Nullable {
                    format!("({sql} IS NULL), ")
                } else {
                    String::new()
                };
                format!(" ORDER BY {last}{sql}{direction}, {id}")
            }
        };
        self.text(&order);
    }
}

const fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq | Operator::In => "=",
        Operator::Lt => "<",
        Operator::Gt => ">",
        Operator::Lte => "<=",
        Operator::Gte => ">=",
    }
}

/// An instant as `domain::collection::instant::show` shows it, up to the year 9999.
fn shown(engine: Engine, sql: &str) -> String {
    let text = match engine {
        Engine::Sqlite => format!(
            "strftime('%Y-%m-%dT%H:%M:%S', {sql} / 1000, 'unixepoch')
                || printf('.%03d000Z', {sql} % 1000)"
        ),
        Engine::Postgres => format!(
            "to_char(TIMESTAMP 'epoch' + {sql} * INTERVAL '1 millisecond',
                'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        ),
    };
    format!("(CASE WHEN {sql} BETWEEN 0 AND 253402300799999 THEN {text} END)")
}
