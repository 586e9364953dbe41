use std::sync::Mutex;

use claviger_store::{Target, key_generations::in_use};

use super::*;
use crate::signing::Renewal;

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_795_321_999_000)
    }
}

struct Dice(Mutex<u64>);
impl Chance for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
    }
}

/// A key file in memory.
#[derive(Default)]
struct File(Mutex<Option<String>>);
impl MasterSource for File {
    fn name(&self) -> String {
        "the file".to_owned()
    }
    fn read(&self) -> Result<Option<MasterKeys>, String> {
        let text = self.0.lock().unwrap().clone();
        text.map(|text| MasterKeys::parse(&text)).transpose().map_err(|e| e.to_string())
    }
    fn draw(&self, chance: &dyn Chance) -> Result<MasterKeys, String> {
        self.replace(&MasterKeys::draw(chance))?;
        Ok(self.read()?.unwrap())
    }
    fn replace(&self, keys: &MasterKeys) -> Result<(), String> {
        *self.0.lock().unwrap() = Some(keys.to_text().to_string());
        Ok(())
    }
}

struct World {
    folder: tempfile::TempDir,
    file: File,
    chance: Arc<dyn Chance>,
    settings: Settings,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            file: File::default(),
            chance: Arc::new(Dice(Mutex::new(1))),
            settings: Settings::default(),
        }
    }

    async fn start_with(&self, first: FirstUser) -> Result<(App, Option<Drawn>), StartError> {
        let clock: Arc<dyn Clock> = Arc::new(Fixed);
        let target = Target::Sqlite(self.folder.path().join("claviger.db"));
        let opened = Opened::open(target, 1, &self.settings, &clock, &self.chance).unwrap();
        let (actor, chance) = (Actor::program("root".to_owned()), Arc::clone(&self.chance));
        App::start(opened, &self.file, first, actor, clock, chance, self.settings.clone()).await
    }

    async fn start(&self) -> (App, Option<Drawn>) {
        self.start_with(FirstUser::default()).await.unwrap()
    }

    async fn refusal(&self, first: FirstUser) -> String {
        match self.start_with(first).await {
            Err(StartError::Refused(sentence)) => sentence,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    }
}

fn with_password(password: &str) -> FirstUser {
    FirstUser { name: None, password: Some(Zeroizing::new(password.to_owned())) }
}

#[tokio::test]
async fn first_start_draws_a_superuser_and_the_second_does_not() {
    let world = World::new();
    let (app, drawn) = world.start().await;
    let drawn = drawn.unwrap();
    assert_eq!((drawn.name.as_str(), drawn.password.expose().len()), ("admin", 24));
    let user = app.db.read(|q| Ok(principals::find_by_name(q, "admin")?)).await.unwrap().unwrap();
    assert!(user.superuser_at.is_some() && user.password_drawn_at.is_some());
    let hash = user.password_hash.clone();
    assert!(app.passwords.verify(hash, drawn.password, || Ok(()), |_| ()).await.unwrap());
    let (installation, generation) = (app.keys.installation(), app.keys.generation());
    let certificates = app.registry_certificates().await.unwrap();
    app.close();

    let (app, drawn) = world.start().await;
    assert!(drawn.is_none());
    assert_eq!((app.keys.installation(), app.keys.generation()), (installation, generation));
    assert_eq!(app.registry_certificates().await.unwrap(), certificates);
    assert!(app.db.read(|q| Ok(audit::first_broken(q)?)).await.unwrap().is_none());
}

#[tokio::test]
async fn given_password_is_taken_and_ignored_once_there_are_users() {
    let world = World::new();
    let weak = world.refusal(with_password("short")).await;
    assert!(weak.contains("CLAVIGER_ADMIN_PASSWORD"), "{weak}");
    assert!(world.file.read().unwrap().is_none(), "a refusal draws no key");
    let name = Some("root".parse().unwrap());
    let first = FirstUser { name, ..with_password("correct-horse") };
    let (app, drawn) = world.start_with(first).await.unwrap();
    assert!(drawn.is_none());
    let user = app.db.read(|q| Ok(principals::find_by_name(q, "root")?)).await.unwrap().unwrap();
    assert!(user.password_drawn_at.is_none());
    app.close();
    assert!(world.start_with(with_password("short")).await.is_ok());
}

#[tokio::test]
async fn superuser_is_left_to_the_api_when_the_settings_say_so() {
    let mut world = World::new();
    world.settings.quay.feature_user_initialize = true;
    let (app, drawn) = world.start().await;
    assert!(drawn.is_none());
    assert!(!app.db.read(|q| Ok(principals::any_user(q)?)).await.unwrap());
    app.close();
    let (app, _) = world.start_with(with_password("correct-horse")).await.unwrap();
    assert!(app.db.read(|q| Ok(principals::any_user(q)?)).await.unwrap());
}

#[tokio::test]
async fn missing_and_wrong_master_keys_are_refused() {
    let world = World::new();
    world.start().await.0.close();
    let right = world.file.0.lock().unwrap().take();
    let sentence = world.refusal(FirstUser::default()).await;
    assert!(sentence.starts_with("this store has a master key, and the file is not there"));
    assert!(world.file.read().unwrap().is_none(), "none is drawn for a store that has one");
    world.file.draw(world.chance.as_ref()).unwrap();
    let sentence = world.refusal(FirstUser::default()).await;
    assert!(sentence.starts_with("the master key in the file is not that of this store"));
    let other = right.as_ref().unwrap().replacen('1', "2", 1);
    *world.file.0.lock().unwrap() = Some(other);
    let sentence = world.refusal(FirstUser::default()).await;
    assert!(sentence.starts_with("the master key of generation 1 is missing"), "{sentence}");
    *world.file.0.lock().unwrap() = right;
    assert!(world.start_with(FirstUser::default()).await.is_ok());
}

#[tokio::test]
async fn rotated_master_key_opens_old_and_new_in_a_running_server() {
    use claviger_domain::TokenKind;
    let world = World::new();
    let (server, _) = world.start().await;
    let (old, _) = server.keys.mint(TokenKind::App, server.chance());
    let (program, _) = world.start().await;
    let actor = Actor::program("root".to_owned());
    assert_eq!(program.rotate_master_key(&world.file, actor.clone()).await.unwrap(), 2);
    let (new, minted) = program.keys.mint(TokenKind::App, program.chance());
    assert_eq!(minted.generation, 2);
    assert!(server.keys.verify(new.expose()).is_none());
    server.tend_keys(&world.file).await.unwrap();
    assert!(server.keys.verify(new.expose()).is_some());
    assert!(server.keys.verify(old.expose()).is_some());
    assert_eq!(server.db.read(|q| Ok(in_use(q)?)).await.unwrap().len(), 2);
    program.rotate_signing_key(Renewal::Leaf, actor).await.unwrap();
    server.tend_keys(&world.file).await.unwrap();
    server.close();
    program.close();
    assert!(world.start_with(FirstUser::default()).await.is_ok());
}

#[tokio::test]
async fn former_prefixes_stay_accepted() {
    use claviger_domain::TokenKind;
    let mut world = World::new();
    let (app, _) = world.start().await;
    let (old, _) = app.keys.mint(TokenKind::App, app.chance());
    app.close();
    world.settings.tokens.prefix = "acme123".parse().unwrap();
    let (app, _) = world.start().await;
    let (new, _) = app.keys.mint(TokenKind::App, app.chance());
    assert!(new.expose().starts_with("acme123a_"));
    assert!(app.keys.verify(old.expose()).is_some());
}
