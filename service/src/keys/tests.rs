use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

/// Counts up, so that what is drawn differs and tests repeat.
#[derive(Default)]
struct Counter(AtomicU8);

impl Chance for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const TWO: &str = "1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=
2 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

fn installation() -> InstallationId {
    "9f2c4f5e-53f0-4f0e-8c1b-6d1f8c0a7e11".parse().unwrap()
}

fn keys(generations: &[u8]) -> Keys {
    let master = MasterKeys::parse(TWO).unwrap();
    let old = ["old".parse().unwrap()];
    Keys::new(&master, installation(), generations, Prefix::default(), &old, true).unwrap()
}

fn ring(generations: &[u8]) -> KeyRing {
    KeyRing::new(keys(generations))
}

/// The text with its first character after `at` replaced and the check characters made anew.
fn forged(text: &str) -> String {
    let secret = ParsedSecret::parse(text, &[Prefix::default()]).unwrap();
    let mut mac = secret.mac.clone();
    mac[0] ^= 1;
    ParsedSecret { mac, ..secret }.print().expose().to_owned()
}

#[test]
fn every_kind_is_minted_and_verified_and_forgeries_are_not() {
    let (ring, chance) = (ring(&[1]), Counter::default());
    for kind in TokenKind::ALL.iter().copied() {
        let (text, minted) = ring.mint(kind, &chance);
        let right = Verified { kind, lookup: minted.lookup, generation: 1 };
        assert_eq!(ring.verify(text.expose()), Some(right));
        assert_eq!(ring.verify(&forged(text.expose())), None);
        assert_eq!(minted.selector.is_some(), kind.shown_again());
        if let Some(selector) = minted.selector {
            let again = ring.rebuild(kind, 1, minted.prefix, minted.format, selector).unwrap();
            assert_eq!(again.expose(), text.expose());
        }
    }
}

#[test]
fn a_secret_of_one_kind_is_not_one_of_another() {
    let ring = ring(&[1]);
    let (text, _) = ring.mint(TokenKind::App, &Counter::default());
    let secret = ParsedSecret::parse(text.expose(), &[Prefix::default()]).unwrap();
    let robot = ParsedSecret { kind: TokenKind::Robot, ..secret }.print();
    assert_eq!(ring.verify(robot.expose()), None);
}

#[test]
fn another_format_or_installation_is_refused() {
    let ring = ring(&[1]);
    let (text, _) = ring.mint(TokenKind::App, &Counter::default());
    let secret = ParsedSecret::parse(text.expose(), &[Prefix::default()]).unwrap();
    let other = ParsedSecret { format: 2, ..secret }.print();
    assert_eq!(ring.verify(other.expose()), None);

    let elsewhere = InstallationId::random(&Counter::default());
    let master = MasterKeys::parse(TWO).unwrap();
    let keys = Keys::new(&master, elsewhere, &[1], Prefix::default(), &[], true).unwrap();
    assert_eq!(KeyRing::new(keys).verify(text.expose()), None);
}

#[test]
fn older_generations_stay_good_until_they_are_retired() {
    let (ring, chance) = (ring(&[1]), Counter::default());
    let (old, minted) = ring.mint(TokenKind::Robot, &chance);
    let sealed = ring.seal("row", b"twenty characters or more", &chance).unwrap();
    let hash = ring.keyed_hash(Purpose::Foreign, "secret");
    let csrf = ring.csrf_token(&minted.lookup);

    ring.replace(keys(&[1, 2]));
    assert_eq!(ring.verify(old.expose()).unwrap().generation, 1);
    assert_eq!(ring.mint(TokenKind::Robot, &chance).1.generation, 2);
    assert_eq!(&**ring.open(1, "row", &sealed.bytes).unwrap(), b"twenty characters or more");
    assert_eq!(ring.keyed_hashes(Purpose::Foreign, "secret")[1], hash);
    assert!(ring.matches(Purpose::Foreign, "secret", &hash));
    assert!(ring.csrf_matches(&minted.lookup, &csrf));

    ring.replace(keys(&[2]));
    assert_eq!(ring.verify(old.expose()), None);
    assert!(ring.open(1, "row", &sealed.bytes).is_err());
    assert!(!ring.matches(Purpose::Foreign, "secret", &hash));
    assert!(!ring.csrf_matches(&minted.lookup, &csrf));
}

#[test]
fn without_selectors_nothing_can_be_rebuilt() {
    let master = MasterKeys::parse(TWO).unwrap();
    let keys = Keys::new(&master, installation(), &[1], Prefix::default(), &[], false).unwrap();
    let (_, minted) = KeyRing::new(keys).mint(TokenKind::App, &Counter::default());
    assert!(minted.selector.is_none());
}

#[test]
fn new_secrets_begin_with_the_newest_prefix_and_former_ones_are_accepted() {
    let old: Prefix = "old".parse().unwrap();
    let master = MasterKeys::parse(TWO).unwrap();
    let before = KeyRing::new(Keys::new(&master, installation(), &[1], old, &[], true).unwrap());
    let (text, _) = before.mint(TokenKind::App, &Counter::default());
    assert!(text.expose().starts_with("olda_"));
    assert!(ring(&[1]).verify(text.expose()).is_some());
    assert!(ring(&[1]).looks_like_token(text.expose()));
    assert!(!ring(&[1]).looks_like_token("correct-horse-battery-staple"));
}

#[test]
fn opaque_secrets_are_good_for_their_purpose_alone() {
    let (ring, chance) = (ring(&[2]), Counter::default());
    let (text, lookup) = ring.mint_opaque(Purpose::Session, &chance);
    assert_eq!(text.expose().len(), 44);
    assert_eq!(ring.verify_opaque(Purpose::Session, text.expose()), Some(lookup));
    assert_eq!(ring.verify_opaque(Purpose::Code, text.expose()), None);
    for (at, _) in text.expose().char_indices() {
        let mut other = text.expose().to_owned();
        let to = if other[at..].starts_with('A') { "B" } else { "A" };
        other.replace_range(at..=at, to);
        assert_eq!(ring.verify_opaque(Purpose::Session, &other), None, "{at}");
    }
    for bad in ["", "AA", &"A".repeat(43), &"A".repeat(44), &"A".repeat(400), "ä"] {
        assert_eq!(ring.verify_opaque(Purpose::Session, bad), None, "{bad}");
    }
}

#[test]
fn csrf_tokens_are_64_characters_and_belong_to_one_session() {
    let ring = ring(&[1]);
    let token = ring.csrf_token(&[7; 32]);
    assert_eq!(token.len(), 64);
    assert!(ring.csrf_matches(&[7; 32], &token));
    assert!(!ring.csrf_matches(&[8; 32], &token));
    for bad in ["", "AAAA", &token[..63]] {
        assert!(!ring.csrf_matches(&[7; 32], bad), "{bad}");
    }
}

#[test]
fn what_is_sealed_opens_with_its_row_alone() {
    let (ring, chance) = (ring(&[1]), Counter::default());
    let sealed = ring.seal("row", b"", &chance).unwrap();
    assert!(ring.open(1, "row", &sealed.bytes).unwrap().is_empty());
    assert!(ring.open(1, "other", &sealed.bytes).is_err());
    let mut damaged = sealed.bytes;
    damaged[3] ^= 1;
    assert!(ring.open(1, "row", &damaged).is_err());
    assert!(ring.open(1, "row", b"short").is_err());
}

#[test]
fn check_values_tell_keys_and_installations_apart() {
    let master = MasterKeys::parse(TWO).unwrap();
    let value =
        |generation, id: &InstallationId| check_value(master.get(generation).unwrap(), id).unwrap();
    let elsewhere = InstallationId::random(&Counter::default());
    assert_ne!(value(1, &installation()), value(2, &installation()));
    assert_ne!(value(1, &installation()), value(1, &elsewhere));
}

#[test]
fn debug_shows_nothing() {
    let ring = ring(&[1]);
    let (opaque, _) = ring.mint_opaque(Purpose::Code, &Counter::default());
    assert_eq!(format!("{opaque:?}"), "[secret]");
    assert!(format!("{ring:?}").contains("[secret]"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Computed apart, by other means, from the key 00…1f and the selector 00…0f. Whoever has to change
/// this ends every token there is.
#[test]
fn what_was_derived_once_is_derived_for_ever() {
    let ring = ring(&[1]);
    for (kind, right) in [
        (TokenKind::App, "clva_043dJFZ5noBhx3ZcLwargveLewC61ElHOjXQFdrbphIJNq1IdmLU"),
        (TokenKind::Oauth, "clvo_043dJFZ5noBhx3ZcLwargveLZZKkcmiaQJaBhavxsbrvPA45f6O3"),
        (TokenKind::Authorization, "clvz_043dJFZ5noBhx3ZcLwargveLhBqOYF1zKLSvH4OSQbjksQ2tCNlL"),
        (TokenKind::Api, "clvk043dJFZ5noBhx3ZcLwargveLcjKmZXtUXnRBMDdQ4tRswD0pGcCA"),
        (TokenKind::Robot, "clvr_043dJFZ5noBhx3ZcLwargveLeNghiFVfISOnCjlST4lZax1bir98"),
        (TokenKind::Refresh, "clvf_043dJFZ5noBhx3ZcLwargveLeg5OMOCtuEz3GZnu7oT62o0K9WqR"),
    ] {
        let (secret, minted) = ring.mint(kind, &Counter::default());
        assert_eq!(secret.expose(), right);
        assert_eq!(
            hex(&minted.lookup),
            "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991"
        );
    }
    let (session, _) = ring.mint_opaque(Purpose::Session, &Counter::default());
    assert_eq!(session.expose(), "AQABAgMEBQYHCAkKCwwNDg_Ruq0sq-9BvUe6tJCINbGG");
    assert_eq!(
        ring.csrf_token(&[7; 32]),
        "gPST5VYJzbDyUU1tFssy_HvyixZ7tfueO8Ibdghd3qNeLNJJAo3d9IbRNoiOUT92"
    );
    assert_eq!(
        hex(&ring.keyed_hash(Purpose::Foreign, "secret").lookup),
        "2a5904d8460981fd893be9160576d52b235e4d0d8a673900ab4004077efa15d5"
    );
    let master = MasterKeys::parse(TWO).unwrap();
    assert_eq!(
        hex(&check_value(master.get(1).unwrap(), &installation()).unwrap()),
        "cecc2c264ee2fd1332ff325d1b79a952feaadd923f0018ea18f4a030d2937a0d"
    );
}
