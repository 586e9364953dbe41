//! How one setting is written: in the TOML file, in the environment, on the command line.

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, str::FromStr, time::Duration};

use claviger_domain::{
    duration,
    name::{Namespace, RobotName},
    secret::Prefix,
};
use claviger_service::settings::{
    AuditDecisions, AvatarKind, MetricsListen, RegistryState, Reveal, ScopeTimeout, ScopeTimeouts,
};
use ipnet::IpNet;

/// A value as it was given.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// In the file, with TOML's types.
    Toml(toml::Value),
    /// In the environment or on the command line.
    Text(String),
}

/// A setting that can be given and shown.
pub(crate) trait Value {
    /// Takes what was given.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    fn set(&mut self, given: Given) -> Result<(), String>;

    /// The value as TOML.
    fn show(&self) -> String;
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Given {
    /// The text of a value that is written as text.
    fn text(self) -> Result<String, String> {
        match self {
            Self::Text(text) | Self::Toml(toml::Value::String(text)) => Ok(text),
            Self::Toml(_) => Err("must be a text in quotes".to_owned()),
        }
    }

    /// The items of a list: an array of texts, or one text with commas.
    fn list(self) -> Result<Vec<String>, String> {
        let items = match self {
            Self::Toml(toml::Value::Array(items)) => {
                items.into_iter().map(|item| Self::Toml(item).text()).collect::<Result<_, _>>()?
            }
            Self::Toml(toml::Value::String(item)) => vec![item],
            Self::Toml(_) => return Err("must be a list of texts".to_owned()),
            Self::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        Ok(items.iter().map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect())
    }
}

impl Value for bool {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = match given {
            Given::Toml(toml::Value::Boolean(on)) => on,
            Given::Text(text) => text.parse().map_err(|_| "must be true or false".to_owned())?,
            Given::Toml(_) => return Err("must be true or false".to_owned()),
        };
        Ok(())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A size in bytes.
impl Value for usize {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = match given {
            Given::Toml(toml::Value::Integer(bytes)) => Self::try_from(bytes).ok(),
            Given::Text(text) | Given::Toml(toml::Value::String(text)) => parse_size(&text),
            Given::Toml(_) => None,
        }
        .filter(|bytes| *bytes > 0)
        .ok_or("must be a size such as `65536`, `64KiB`, `1MiB` or `1GiB`")?;
        Ok(())
    }

    fn show(&self) -> String {
        let unit = SIZES.iter().find(|(_, bytes)| self.is_multiple_of(*bytes));
        match unit {
            Some((unit, bytes)) => quoted(&format!("{}{unit}", self / bytes)),
            None => self.to_string(),
        }
    }
}

/// A number of things.
impl Value for NonZeroU32 {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = match given {
            Given::Toml(toml::Value::Integer(number)) => u32::try_from(number).ok(),
            Given::Text(text) => parse_digits(text.trim()),
            Given::Toml(_) => None,
        }
        .and_then(Self::new)
        .ok_or("must be a whole number, 1 or more")?;
        Ok(())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

const SIZES: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let unit = SIZES.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    parse_digits::<usize>(number)?.checked_mul(bytes)
}

/// A number of digits alone: no sign, no space.
fn parse_digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A duration such as `30s`, `10m`, `12h`, `31d` or `4w`.
///
/// # Errors
/// What it must look like.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|problem| problem.to_string())
}

impl Value for Duration {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = parse_duration(given.text()?.trim())?;
        Ok(())
    }

    fn show(&self) -> String {
        quoted(&duration::show(*self))
    }
}

impl Value for Option<Duration> {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = match given.text()?.trim() {
            "" | "none" => None,
            text => Some(parse_duration(text)?),
        };
        Ok(())
    }

    fn show(&self) -> String {
        self.map_or_else(|| quoted("none"), |duration| duration.show())
    }
}

/// What is written as a text and may be left empty.
macro_rules! optional_text {
    ($($type:ty: $show:expr),+ $(,)?) => {$(
        impl Value for Option<$type> {
            fn set(&mut self, given: Given) -> Result<(), String> {
                let text = given.text()?;
                *self = if text.is_empty() { None } else { Some(text.parse().map_err(problem)?) };
                Ok(())
            }

            fn show(&self) -> String {
                let show: fn(&$type) -> String = $show;
                quoted(&self.as_ref().map(show).unwrap_or_default())
            }
        }
    )+};
}
optional_text! {
    String: Clone::clone,
    PathBuf: |path| path.display().to_string(),
    super::PublicUrl: ToString::to_string,
    super::Endpoint: ToString::to_string,
    SocketAddr: ToString::to_string,
    super::route::Preset: |_| "registry".to_owned(),
}

fn problem(error: impl fmt::Display) -> String {
    error.to_string()
}

impl Value for String {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = given.text()?;
        if self.is_empty() { Err("must not be empty".to_owned()) } else { Ok(()) }
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for PathBuf {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let mut text = self.display().to_string();
        text.set(given)?;
        *self = text.into();
        Ok(())
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}

impl Value for SocketAddr {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let text = given.text()?;
        *self = text.parse().map_err(|_| "must be an address such as `127.0.0.1:8080`")?;
        Ok(())
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

macro_rules! lists {
    ($($item:ty: $problem:expr),+ $(,)?) => {$(
        impl Value for Vec<$item> {
            fn set(&mut self, given: Given) -> Result<(), String> {
                let parse = |item: String| {
                    item.parse().map_err(|_| format!("has `{item}`, which {}", $problem))
                };
                *self = given.list()?.into_iter().map(parse).collect::<Result<_, String>>()?;
                Ok(())
            }

            fn show(&self) -> String {
                let items: Vec<_> = self.iter().map(|item| quoted(&item.to_string())).collect();
                format!("[{}]", items.join(", "))
            }
        }
    )+};
}
lists! {
    String: "is not a text",
    Namespace: "is not a name of a user",
    RobotName: "is not a name of a robot such as `acme+ci`",
    Network: "is not a network such as `10.0.0.0/8` or an address",
}

/// A network; an address alone stands for itself.
struct Network(IpNet);

impl FromStr for Network {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| address()).map(Self).map_err(|_| ())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Value for Vec<IpNet> {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let mut networks: Vec<Network> = Vec::new();
        networks.set(given)?;
        *self = networks.into_iter().map(|network| network.0).collect();
        Ok(())
    }

    fn show(&self) -> String {
        self.iter().map(|net| Network(*net)).collect::<Vec<_>>().show()
    }
}

/// One of a few words.
macro_rules! word {
    ($($type:ty { $($variant:ident = $word:literal),+ })+) => {$(
        impl Value for $type {
            fn set(&mut self, given: Given) -> Result<(), String> {
                *self = match given.text()?.as_str() {
                    $($word => Self::$variant,)+
                    _ => return Err(one_of(&[$($word),+])),
                };
                Ok(())
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => quoted($word)),+ }
            }
        }
    )+};
}
word! {
    RegistryState { Normal = "normal", Readonly = "readonly" }
    AvatarKind { Local = "local", Gravatar = "gravatar" }
    Reveal { All = "all", Fresh = "fresh", None = "none" }
    AuditDecisions { Off = "off", Denied = "denied", All = "all" }
    super::LogFormat { Text = "text", Json = "json" }
    super::LogLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
}

fn one_of(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    format!("must be one of {}", words.join(", "))
}

impl Value for super::Database {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = given.text()?.parse()?;
        Ok(())
    }

    fn show(&self) -> String {
        // only the default is ever shown: the other holds a password
        quoted("sqlite")
    }
}

impl Value for Prefix {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = given.text()?.parse().map_err(problem)?;
        Ok(())
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for MetricsListen {
    fn set(&mut self, given: Given) -> Result<(), String> {
        *self = given.text()?.parse()?;
        Ok(())
    }

    fn show(&self) -> String {
        match self {
            Self::Loopback => quoted("loopback"),
            Self::Address(address) => address.show(),
        }
    }
}

impl Value for ScopeTimeouts {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let text = given.text()?;
        let mut all: Vec<ScopeTimeout> = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let timeout = parse_timeout(item)?;
            if all.iter().any(|known| known.scope == timeout.scope) {
                return Err(format!("names the scope `{}` twice", timeout.scope));
            }
            all.push(timeout);
        }
        self.0 = all;
        Ok(())
    }

    fn show(&self) -> String {
        let show = |t: &ScopeTimeout| {
            format!("{}={}|{}", t.scope, duration::show(t.default), duration::show(t.max))
        };
        quoted(&self.0.iter().map(show).collect::<Vec<_>>().join(", "))
    }
}

/// `scope=default|max` or `scope=both`, in seconds or as durations.
fn parse_timeout(item: &str) -> Result<ScopeTimeout, String> {
    let form = || format!("has `{item}`, which is not of the form `scope=1d|7d`");
    let (scope, times) = item.split_once('=').ok_or_else(form)?;
    let (default, max) = times.split_once('|').unwrap_or((times, times));
    let duration = |text: &str| match text.trim() {
        text if text.bytes().all(|b| b.is_ascii_digit()) => parse_duration(&format!("{text}s")),
        text => parse_duration(text),
    };
    let (default, max) =
        (duration(default).map_err(|_| form())?, duration(max).map_err(|_| form())?);
    if default > max {
        return Err(format!("has `{item}`, whose default is longer than its maximum"));
    }
    let scope = scope.trim().to_lowercase();
    if scope.is_empty() { Err(form()) } else { Ok(ScopeTimeout { scope, default, max }) }
}
