//! Where the master keys lie: a named file, a variable, or `master.key` in the data folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use claviger_domain::Chance;
use claviger_service::{install::MasterSource, keys::MasterKeys};
use zeroize::Zeroizing;

use crate::{config::Config, files};

/// Where the master keys lie.
pub(crate) enum Source {
    /// A file, made at the first start of an empty store: `--master-key-file`, or `master.key` in
    /// the data folder. Its folder must be there.
    File(PathBuf),
    /// `CLAVIGER_MASTER_KEY`.
    Variable(Zeroizing<String>),
}

impl Source {
    /// What `config` says.
    pub(crate) fn of(config: &Config) -> Self {
        match (&config.master_key_file, &config.secrets.master_key) {
            (Some(path), _) => Self::File(path.clone()),
            (None, Some(text)) => Self::Variable(text.clone()),
            (None, None) => Self::File(config.data_dir.join(files::MASTER_KEY)),
        }
    }

    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Variable(_) => None,
        }
    }

    /// A lock that whoever changes the keys holds, so that nobody overwrites another's new key.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn lock(&self) -> Result<Option<files::Lock>, String> {
        let busy = "another program is changing the master key: try again in a moment";
        self.file().map(|path| files::lock(&path.with_extension("lock"), busy)).transpose()
    }
}

impl MasterSource for Source {
    fn name(&self) -> String {
        match self {
            Self::Variable(_) => "CLAVIGER_MASTER_KEY".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    fn read(&self) -> Result<Option<MasterKeys>, String> {
        let text = match self {
            Self::Variable(text) => text.clone(),
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) => Zeroizing::new(text),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return Err(format!("cannot read the master key {}: {error}", path.display()));
                }
            },
        };
        match MasterKeys::parse(&text) {
            Ok(keys) => Ok(Some(keys)),
            Err(problem) => {
                Err(format!("the master key in {} cannot be used: it {problem}", self.name()))
            }
        }
    }

    fn draw(&self, chance: &dyn Chance) -> Result<MasterKeys, String> {
        let Some(path) = self.file() else {
            return Err("CLAVIGER_MASTER_KEY is not made by itself".to_owned());
        };
        let keys = MasterKeys::draw(chance);
        let made = write(path, &keys, |new| match fs::hard_link(new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            outcome => outcome,
        });
        made.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        self.read()?.ok_or_else(|| format!("{} has vanished", path.display()))
    }

    fn replace(&self, keys: &MasterKeys) -> Result<(), String> {
        let Some(path) = self.file() else {
            return Err("the master key comes from CLAVIGER_MASTER_KEY, which cannot be changed \
                        from here: put it into a file and name that with `--master-key-file`"
                .to_owned());
        };
        write(path, keys, |new| fs::rename(new, path))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

/// Writes `keys` to a new file beside `path`, to the disk, and lets `place` put it there.
fn write(
    path: &Path,
    keys: &MasterKeys,
    place: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let outcome = (|| {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(keys.to_text().as_bytes())?;
        file.sync_all()?;
        place(&new)
    })();
    // after a rename it is gone
    let _ = fs::remove_file(&new);
    outcome?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::SystemChance;

    #[test]
    fn own_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let source = Source::File(path.clone());
        assert!(source.read().unwrap().is_none());
        let first = source.draw(&SystemChance::new()).unwrap();
        let again = source.draw(&SystemChance::new()).unwrap();
        assert_eq!(*first.to_text(), *again.to_text());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn new_generation_takes_the_place_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::File(dir.path().join("master.key"));
        let chance = SystemChance::new();
        let mut keys = source.draw(&chance).unwrap();
        keys.add_generation(&chance).unwrap();
        source.replace(&keys).unwrap();
        assert_eq!(*source.read().unwrap().unwrap().to_text(), *keys.to_text());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn key_that_cannot_be_used_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let source = Source::File(path.clone());
        let nowhere = Source::File(dir.path().join("missing/key"));
        let problem = nowhere.draw(&SystemChance::new()).unwrap_err();
        assert!(problem.starts_with("cannot write"), "{problem}");
        fs::write(&path, "short\n").unwrap();
        let problem = source.read().unwrap_err();
        assert!(problem.contains("cannot be used") && !problem.contains("short"), "{problem}");
        let variable = Source::Variable(Zeroizing::new("x".to_owned()));
        assert!(variable.read().unwrap_err().contains("CLAVIGER_MASTER_KEY"));
        assert!(variable.replace(&MasterKeys::draw(&SystemChance::new())).is_err());
    }
}
