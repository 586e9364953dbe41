//! The application in this process, as the program opens it, without HTTP.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use claviger_domain::{Chance, Clock, UnixMillis, id::RequestId};
use claviger_service::{
    App, Opened, Origin, Settings,
    install::{FirstUser, MasterSource},
    keys::MasterKeys,
};
use claviger_store::Target;
use ring::rand::{SecureRandom, SystemRandom};

use crate::{
    Outcome,
    world::{Drawn, MASTER_KEY, database},
};

/// Opens the store in `folder`, which is made if it is missing.
pub(crate) async fn open(folder: &Path, settings: Settings) -> Outcome<App> {
    let clock: Arc<dyn Clock> = Arc::new(Running(Instant::now()));
    let chance: Arc<dyn Chance> = Arc::new(Machine(SystemRandom::new()));
    let target = Target::Sqlite(database(folder));
    // as the program has it
    let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let opened = Opened::open(target, readers, &settings, &clock, &chance)?;
    let keys = KeyFile(folder.join(MASTER_KEY));
    let password = Some("correct horse battery staple".replace(' ', "-").into());
    let first = FirstUser { name: None, password };
    let actor = origin().nobody();
    let (app, _) = App::start(opened, &keys, first, actor, clock, chance, settings).await?;
    Ok(app)
}

/// Where requests of this process come from.
pub(crate) fn origin() -> Origin {
    let request_id = RequestId::random(&Drawn::new("request", 0));
    Origin { door: "bench", address: None, request_id }
}

/// A clock that begins when every store of ours was made.
struct Running(Instant);

/// 2026-11-22T05:11:11Z.
pub(crate) const START: UnixMillis = UnixMillis(1_795_324_271_000);

impl Clock for Running {
    fn now(&self) -> UnixMillis {
        START.plus_ms(i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

struct Machine(SystemRandom);

impl Chance for Machine {
    fn fill(&self, bytes: &mut [u8]) {
        if self.0.fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// `master.key`, drawn from a seed: it guards nothing.
struct KeyFile(PathBuf);

impl MasterSource for KeyFile {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self) -> Result<Option<MasterKeys>, String> {
        if !self.0.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.0).map_err(|error| error.to_string())?;
        MasterKeys::parse(&text).map(Some).map_err(|error| error.to_string())
    }

    fn draw(&self, _: &dyn Chance) -> Result<MasterKeys, String> {
        let keys = MasterKeys::draw(&Drawn::new("master key", 0));
        self.replace(&keys)?;
        Ok(keys)
    }

    fn replace(&self, keys: &MasterKeys) -> Result<(), String> {
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::write(&self.0, keys.to_text().as_str())
            .and_then(|()| std::fs::set_permissions(&self.0, owner))
            .map_err(|error| error.to_string())
    }
}
