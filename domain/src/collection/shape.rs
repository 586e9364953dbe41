//! What a collection looks like to those who ask for it.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text, compared by code points.
    Text,
    /// The same text in every item.
    Constant(&'static str),
    /// An instant.
    Instant,
    /// An object or an array: shown, but not compared.
    Object,
}

/// A field of a collection's items.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// How the door writes it: names joined by full stops, `[*]` after an array's.
    pub path: &'static str,
    /// How the store calls its column; of no meaning for constants and objects.
    pub column: &'static str,
    /// What it holds.
    pub kind: Kind,
}

impl Field {
    /// A text, kept in `column`.
    pub const fn text(path: &'static str, column: &'static str) -> Self {
        Self { path, column, kind: Kind::Text }
    }

    /// An instant, kept in `column`.
    pub const fn instant(path: &'static str, column: &'static str) -> Self {
        Self { path, column, kind: Kind::Instant }
    }

    /// The same text in every item.
    pub const fn constant(path: &'static str, text: &'static str) -> Self {
        Self { path, column: "", kind: Kind::Constant(text) }
    }

    /// An object or an array.
    pub const fn object(path: &'static str) -> Self {
        Self { path, column: "", kind: Kind::Object }
    }

    /// Whether it is a field of the item itself and not of something inside: only these can be
    /// asked for or ordered by.
    pub fn is_top(&self) -> bool {
        !self.path.contains(['.', '['])
    }
}

/// A parameter of a collection's query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Which fields.
    Include,
    /// At most how many.
    Limit,
    /// After how many.
    Skip,
    /// Whether to count them all.
    Count,
    /// Which items.
    Filter,
    /// In which order.
    OrderBy,
    /// Where the last page ended.
    Continue,
}

impl Parameter {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Include,
        Self::Limit,
        Self::Skip,
        Self::Count,
        Self::Filter,
        Self::OrderBy,
        Self::Continue,
    ];

    /// Its name in a query string.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Limit => "limit",
            Self::Skip => "skip",
            Self::Count => "count",
            Self::Filter => "filter",
            Self::OrderBy => "orderBy",
            Self::Continue => "continue",
        }
    }
}

/// What a collection is: its name, its fields, and what may be asked of it.
#[derive(Debug)]
pub struct Shape {
    /// What it is called, such as `astra/tokens`: a `continue` token of another opens nothing.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// The parameters that it takes.
    pub takes: &'static [Parameter],
    /// Whether values in filters may hold every character but the quote and controls, and not only
    /// those of Astra's pattern.
    pub wide_values: bool,
}

impl Shape {
    /// The field that `include` names `name`.
    pub(super) fn included(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.is_top() && field.path == name)
    }

    /// The field that `orderBy` names `name`.
    pub(super) fn ordered(&self, name: &str) -> Option<&'static Field> {
        self.included(name).filter(|field| field.kind != Kind::Object)
    }

    /// The field that a filter names `path`.
    pub(super) fn filtered(&self, path: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.path == path && field.kind != Kind::Object)
    }
}
