//! Files and folders of the program: the data folder, its lock, what came by file or standard
//! input.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, BufRead, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    thread,
    time::Duration,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The database in the data folder.
pub(crate) const DATABASE: &str = "claviger.db";
/// The master key in the data folder.
pub(crate) const MASTER_KEY: &str = "master.key";
const LOCK: &str = "serve.lock";

/// Makes the data folder if it is missing, for its owner alone.
///
/// # Errors
/// One sentence.
pub(crate) fn make_folder(path: &Path) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("cannot make the data folder {}: {error}", path.display()))
}

/// The right to be the only one who does something; ends with the process.
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock of the one server of a data folder.
///
/// # Errors
/// One sentence, when another server holds it.
pub(crate) fn lock_folder(folder: &Path) -> Result<Lock, String> {
    let busy = format!(
        "another `claviger serve` runs on {}; stop it, or give this one its own `--data-dir`",
        folder.display()
    );
    lock(&folder.join(LOCK), &busy)
}

/// Takes the lock `path`, which is made if it is missing; `busy` is what to say when it is held.
///
/// # Errors
/// One sentence.
pub(crate) fn lock(path: &Path, busy: &str) -> Result<Lock, String> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = open.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    let locked = patiently(|| file.try_lock(), |error| matches!(error, TryLockError::WouldBlock));
    match locked {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(busy.to_owned()),
        Err(TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

/// Tries again for a moment while `error` is one that passes: a server that was killed may still be
/// on its way out when the next one starts.
pub(crate) fn patiently<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    passes: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 0..20 {
        match attempt() {
            Err(error) if passes(&error) => thread::sleep(Duration::from_millis(50)),
            outcome => return outcome,
        }
    }
    attempt()
}

/// Whether anybody but the owner may read or enter `path`.
pub(crate) fn is_open_to_others(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.mode() & 0o077 != 0)
}

/// One line: a password, from `file` or standard input.
///
/// # Errors
/// One sentence.
pub(crate) fn read_password(file: Option<&Path>) -> Result<Zeroizing<String>, String> {
    const LONGEST: u64 = 4096;
    let (source, mut input): (String, Box<dyn BufRead>) = match file {
        Some(path) => {
            let open = File::open(path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            (path.display().to_string(), Box::new(io::BufReader::new(open.take(LONGEST))))
        }
        None => ("standard input".to_owned(), Box::new(io::stdin().lock().take(LONGEST))),
    };
    let hidden = if file.is_none() { Hidden::ask() } else { None };
    let mut line = Zeroizing::new(String::new());
    let read = input.read_line(&mut line);
    drop(hidden);
    read.map_err(|error| format!("cannot read {source}: {error}"))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(format!("there is no password on {source}: give it as one line"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    /// Asks for a password, if somebody sits at a terminal.
    fn ask() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        eprint!("password: ");
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // there is nothing better to do when the terminal is gone
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        eprintln!();
    }
}

/// The name of the system's user who runs this, for the audit.
pub(crate) fn system_user() -> String {
    let Ok(meta) = fs::metadata("/proc/self") else { return "unknown".to_owned() };
    let uid = meta.uid().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_for_its_owner_and_has_one_server() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        make_folder(&data).unwrap();
        make_folder(&data).unwrap();
        assert!(!is_open_to_others(&data).unwrap());
        let held = lock_folder(&data).unwrap();
        assert!(lock_folder(&data).err().unwrap().contains("another `claviger serve` runs on"));
        drop(held);
        assert!(lock_folder(&data).is_ok());
    }

    #[test]
    fn password_is_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        for (text, expected) in [("secret\n", "secret"), ("a b \r\nmore\n", "a b "), ("x", "x")] {
            fs::write(&file, text).unwrap();
            assert_eq!(*read_password(Some(&file)).unwrap(), expected);
        }
        fs::write(&file, "\n").unwrap();
        assert!(read_password(Some(&file)).is_err());
    }

    #[test]
    fn system_user_has_a_name() {
        assert!(!system_user().is_empty());
    }
}
