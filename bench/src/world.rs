//! The data set: who is in which team, what is whose, who may do what to it. Every name, id and
//! secret follows from a number, so that whoever sends requests needs no list of them.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use claviger_domain::{
    Chance, TokenKind,
    id::{AccountId, InstallationId, PrincipalId, RepoId, TeamId, TokenId},
    secret::TokenSecret,
};
use claviger_service::keys::{KeyRing, Keys, MasterKeys, MintedSecret};
use ring::digest::{SHA256, digest};

use crate::Outcome;

/// The database in a data folder.
pub(crate) const DATABASE: &str = "claviger.db";
/// The master key in a data folder.
pub(crate) const MASTER_KEY: &str = "master.key";

/// How much of everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Users; all else follows from it.
    pub(crate) users: u64,
}

impl Size {
    /// The data set of the goals.
    pub(crate) const FULL: Self = Self { users: 100_000 };
    /// A tenth of it.
    pub(crate) const TENTH: Self = Self { users: 10_000 };
    /// A hundredth of it.
    pub(crate) const QUICK: Self = Self { users: 1_000 };

    pub(crate) const TOKENS_EACH: u64 = 10;
    pub(crate) const PERMISSIONS_EACH: u64 = 5;
    pub(crate) const TEAMS_EACH: u64 = 10;
    /// The teams that have a permission on a repository of their organisation.
    pub(crate) const TEAMS_ON_EACH: u64 = 3;

    pub(crate) const fn tokens(self) -> u64 {
        self.users * Self::TOKENS_EACH
    }

    pub(crate) const fn repositories(self) -> u64 {
        self.users * 2
    }

    pub(crate) const fn permissions(self) -> u64 {
        self.repositories() * Self::PERMISSIONS_EACH
    }

    pub(crate) const fn teams(self) -> u64 {
        self.users / 5
    }

    pub(crate) const fn organisations(self) -> u64 {
        self.teams() / Self::TEAMS_EACH
    }
}

/// Chance that follows from a name and a number.
pub(crate) struct Drawn {
    name: &'static str,
    number: u64,
    blocks: AtomicU64,
}

impl Drawn {
    pub(crate) const fn new(name: &'static str, number: u64) -> Self {
        Self { name, number, blocks: AtomicU64::new(0) }
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes) % end.max(1)
    }
}

impl Chance for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, Ordering::Relaxed);
            let text = format!("{}/{}/{block}", self.name, self.number);
            for (to, from) in chunk.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
                *to = *from;
            }
        }
    }
}

/// Whose a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    User(u64),
    Organisation(u64),
}

/// A data set that was made, and the keys of its store.
pub(crate) struct World {
    pub(crate) size: Size,
    pub(crate) account: AccountId,
    keys: KeyRing,
}

impl World {
    /// The data set in `folder`.
    pub(crate) fn open(folder: &Path, size: Size) -> Outcome<Self> {
        let master = MasterKeys::parse(&std::fs::read_to_string(folder.join(MASTER_KEY))?)?;
        let store = rusqlite::Connection::open(database(folder))?;
        let text = |sql| store.query_row(sql, [], |row| row.get::<_, String>(0));
        let installation: InstallationId = text("SELECT id FROM installation")?.parse()?;
        let account = text("SELECT id FROM account ORDER BY seq LIMIT 1")?.parse()?;
        let prefix = claviger_domain::secret::Prefix::default();
        let keys = Keys::new(&master, installation, &[master.newest()], prefix, &[], true)?;
        Ok(Self { size, account, keys: KeyRing::new(keys) })
    }

    pub(crate) fn user_id(user: u64) -> PrincipalId {
        PrincipalId::random(&Drawn::new("user", user))
    }

    pub(crate) fn user_name(user: u64) -> String {
        format!("user-{user:06}")
    }

    pub(crate) fn organisation_id(organisation: u64) -> PrincipalId {
        PrincipalId::random(&Drawn::new("organisation", organisation))
    }

    pub(crate) fn organisation_name(organisation: u64) -> String {
        format!("org-{organisation:05}")
    }

    pub(crate) fn team_id(team: u64) -> TeamId {
        TeamId::random(&Drawn::new("team", team))
    }

    pub(crate) fn repository_id(repository: u64) -> RepoId {
        RepoId::random(&Drawn::new("repository", repository))
    }

    /// The two teams that a user is in.
    pub(crate) fn teams_of(&self, user: u64) -> [u64; 2] {
        let teams = self.size.teams();
        let drawn = Drawn::new("membership", user);
        let first = drawn.below(teams);
        [first, (first + 1 + drawn.below(teams - 1)) % teams]
    }

    /// The first half of the repositories is the users', one each; the rest is spread over the
    /// organisations.
    pub(crate) fn owner(&self, repository: u64) -> Owner {
        match repository.checked_sub(self.size.users) {
            None => Owner::User(repository),
            Some(rest) => Owner::Organisation(rest % self.size.organisations()),
        }
    }

    pub(crate) fn repository_name(&self, repository: u64) -> String {
        let namespace = match self.owner(repository) {
            Owner::User(user) => Self::user_name(user),
            Owner::Organisation(organisation) => Self::organisation_name(organisation),
        };
        format!("{namespace}/service-{repository:06}")
    }

    /// The teams with a permission on a repository of an organisation.
    pub(crate) fn teams_on(&self, repository: u64) -> Vec<u64> {
        let Owner::Organisation(organisation) = self.owner(repository) else { return Vec::new() };
        let turn = (repository - self.size.users) / self.size.organisations();
        let first = organisation * Size::TEAMS_EACH;
        (0..Size::TEAMS_ON_EACH).map(|next| first + (turn + next) % Size::TEAMS_EACH).collect()
    }

    /// The users with a permission of their own on a repository.
    pub(crate) fn users_on(&self, repository: u64) -> Vec<u64> {
        let count = Size::PERMISSIONS_EACH - self.teams_on(repository).len() as u64;
        let start = Drawn::new("permission", repository).below(self.size.users);
        // a stride that is prime to the number of users, so that nobody comes twice
        (0..count).map(|next| (start + next * 7_919) % self.size.users).collect()
    }

    /// A repository that the user may pull: his own, or one where his first team has the first
    /// permission.
    pub(crate) fn repository_for(&self, user: u64, drawn: &Drawn) -> u64 {
        self.repository_behind(user, 0, drawn)
    }

    /// A repository that the user may pull: his own, or one where so many other teams have their
    /// permission before his first one, fewer than [`Size::TEAMS_ON_EACH`].
    pub(crate) fn repository_behind(&self, user: u64, others: u64, drawn: &Drawn) -> u64 {
        if drawn.below(2) == 0 {
            return user;
        }
        let [team, _] = self.teams_of(user);
        let (organisation, place) = (team / Size::TEAMS_EACH, team % Size::TEAMS_EACH);
        let organisations = self.size.organisations();
        let turns = self.size.users / organisations / Size::TEAMS_EACH;
        let place = (place + Size::TEAMS_EACH - others) % Size::TEAMS_EACH;
        let turn = place + Size::TEAMS_EACH * drawn.below(turns);
        self.size.users + organisation + turn * organisations
    }

    /// The last token of each user is an OAuth token for the API, all others are app tokens.
    pub(crate) fn token_kind(token: u64) -> TokenKind {
        if token % Size::TOKENS_EACH == Size::TOKENS_EACH - 1 {
            TokenKind::Oauth
        } else {
            TokenKind::App
        }
    }

    /// A token: its id, its secret, and what the store keeps of that.
    pub(crate) fn token(&self, token: u64) -> (TokenId, TokenSecret, MintedSecret) {
        let drawn = Drawn::new("token", token);
        let id = TokenId::random(&drawn);
        let (secret, minted) = self.keys.mint(Self::token_kind(token), &drawn);
        (id, secret, minted)
    }

    /// The OAuth token of the user.
    pub(crate) fn oauth_token(&self, user: u64) -> TokenSecret {
        let (_, secret, _) = self.token(user * Size::TOKENS_EACH + Size::TOKENS_EACH - 1);
        secret
    }
}

/// The database of a data folder.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_goals() {
        let size = Size::FULL;
        assert_eq!((size.tokens(), size.permissions()), (1_000_000, 1_000_000));
        assert_eq!((size.repositories(), size.teams()), (200_000, 20_000));
    }
}
