use std::sync::Barrier;

use claviger_domain::{
    Chance, TokenKind,
    id::{AccountId, PrincipalId},
    scope::Scopes,
};

use super::*;

/// Numbers, one after another.
struct Count(AtomicU64);

impl Chance for Count {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Relaxed).to_be_bytes();
        bytes.fill(0);
        for (place, byte) in bytes.iter_mut().rev().zip(number.iter().rev()) {
            *place = *byte;
        }
    }
}

fn token(chance: &dyn Chance) -> Arc<NotedToken> {
    let (id, nobody) = (TokenId::random(chance), Count(AtomicU64::new(0)));
    let mut lookup = [0; 32];
    for (place, byte) in lookup.iter_mut().zip(id.bytes()) {
        *place = byte;
    }
    Arc::new(NotedToken::new(TokenFacts {
        lookup,
        id,
        kind: TokenKind::App,
        principal: PrincipalId::random(&nobody),
        account: AccountId::random(&nobody),
        application: None,
        parent: None,
        scopes: Scopes::registry(),
        service: None,
        key_generation: 1,
        expires_at: None,
        secret_valid_until: None,
        revoked_at: None,
    }))
}

fn last(activity: &Activity, token: &Arc<NotedToken>) -> Option<i64> {
    let of = activity.pending_of(&token.id, &token.lookup).map(|last| last.at.0);
    assert_eq!(of, activity.pending(&token.id).map(|last| last.at.0));
    of
}

#[test]
fn the_last_use_is_the_last_and_is_taken_once() {
    let (activity, token) = (Activity::default(), token(&Count(AtomicU64::new(1))));
    for at in [1, 2] {
        activity.used(&token, UnixMillis(at), None);
        assert_eq!(last(&activity, &token), Some(at));
    }
    assert_eq!(activity.take().len(), 1);
    assert_eq!((last(&activity, &token), activity.take().len()), (None, 0));
    activity.used(&token, UnixMillis(3), None);
    assert_eq!(last(&activity, &token), Some(3));
}

#[test]
fn without_room_those_that_are_noted_go_on_and_others_wait_for_the_flush() {
    let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
    let tokens: Vec<_> = (0..2 * PARTS * MOST_IN_PART).map(|_| token(&chance)).collect();
    let note = |at| tokens.iter().for_each(|token| activity.used(token, UnixMillis(at), None));
    let noted = |at| tokens.iter().filter(|token| last(&activity, token) == Some(at)).count();
    note(1);
    let room = PARTS * MOST_IN_PART;
    assert_eq!(noted(1), room);
    note(2);
    assert_eq!((noted(1), noted(2)), (0, room));
    assert_eq!(activity.take().len(), room);
    let left_out = tokens.last().expect("there are many");
    activity.used(left_out, UnixMillis(3), None);
    assert_eq!(last(&activity, left_out), Some(3));
}

#[test]
fn a_use_that_was_not_written_is_noted_again_unless_there_was_one_since() {
    let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
    let [again, since] = [token(&chance), token(&chance)];
    for token in [&again, &since] {
        activity.used(token, UnixMillis(1), None);
    }
    let flushed = activity.take();
    activity.used(&since, UnixMillis(2), None);
    activity.note_again(&flushed);
    assert_eq!((last(&activity, &again), last(&activity, &since)), (Some(1), Some(2)));
}

#[test]
fn a_token_whose_place_another_has_since_the_flush_leaves_him_alone() {
    let (activity, chance) = (Activity::default(), Count(AtomicU64::new(0)));
    // every token of one part
    let tokens = (0..2 * PARTS).map(|_| token(&chance)).step_by(PARTS);
    let [first, second] = tokens.collect::<Vec<_>>().try_into().expect("there are two");
    activity.used(&first, UnixMillis(1), None);
    activity.take();
    activity.used(&second, UnixMillis(2), None);
    activity.used(&first, UnixMillis(3), None);
    activity.used(&second, UnixMillis(4), None);
    assert_eq!((last(&activity, &first), last(&activity, &second)), (Some(3), Some(4)));
    assert_eq!(activity.take().len(), 2);
}

#[test]
fn facts_that_were_read_anew_are_of_the_same_use() {
    let (activity, old) = (Activity::default(), token(&Count(AtomicU64::new(1))));
    let new = Arc::new(NotedToken::new(TokenFacts::clone(&old)));
    for (token, at) in [(&old, 1), (&new, 3), (&old, 2)] {
        activity.used(token, UnixMillis(at), None);
    }
    assert_eq!(last(&activity, &new), Some(3));
    let times: Vec<_> = activity.take().iter().map(|(_, last)| last.at.0).collect();
    assert_eq!(times, [2, 3], "each with what it was noted of, the last one last");
}

#[test]
fn a_use_through_one_secret_that_was_not_written_outlives_a_use_through_another() {
    let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
    let (old, lookup) = (token(&chance), token(&chance).lookup);
    let new = Arc::new(NotedToken::new(TokenFacts { lookup, ..TokenFacts::clone(&old) }));
    activity.used(&old, UnixMillis(1), None);
    let flushed = activity.take();
    activity.used(&new, UnixMillis(2), None);
    activity.note_again(&flushed);
    let of = |token: &Arc<NotedToken>| {
        activity.pending_of(&token.id, &token.lookup).map(|last| last.at.0)
    };
    assert_eq!((of(&old), of(&new)), (Some(1), Some(2)));
    assert_eq!(activity.pending(&old.id).map(|last| last.at.0), Some(2));
}
#[test]
fn the_last_use_says_from_where_it_came() {
    let (activity, token) = (Activity::default(), token(&Count(AtomicU64::new(1))));
    let places = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.1"];
    let places = places.map(|address| Some(address.parse().expect("an address")));
    for (address, at) in places.into_iter().chain([None]).zip(1..) {
        activity.used(&token, UnixMillis(at), address);
        let last = Use { at: UnixMillis(at), address };
        assert_eq!(activity.pending(&token.id), Some(last));
    }
    let last = Use { at: UnixMillis(9), address: None };
    activity.used(&token, last.at, last.address);
    // one that was slower than a later one
    activity.used(&token, UnixMillis(8), places[0]);
    activity.used(&token, UnixMillis(7), None);
    assert_eq!(activity.pending(&token.id), Some(last));
    let flushed = activity.take();
    assert_eq!(flushed.iter().map(|(_, last)| *last).collect::<Vec<_>>(), [last]);
}

#[test]
fn no_use_is_lost_to_a_flush_or_to_another_address() {
    const GAMES: i64 = 3_000;
    let (activity, token) = (Activity::default(), token(&Count(AtomicU64::new(1))));
    let places = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
    let (begin, end) = (Barrier::new(3), Barrier::new(3));
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        for (address, more) in places.into_iter().zip(0..) {
            let (activity, token, begin, end) = (&activity, &token, &begin, &end);
            scope.spawn(move || {
                for game in 1..=GAMES {
                    begin.wait();
                    activity.used(token, UnixMillis(10 * game + more), address);
                    end.wait();
                }
            });
        }
        for game in 1..=GAMES {
            let [first, second] = places;
            activity.used(
                &token,
                UnixMillis(10 * game - 1),
                if game % 2 == 0 { first } else { second },
            );
            begin.wait();
            let mut flushed = activity.take();
            end.wait();
            flushed.extend(activity.take());
            let last = flushed.iter().map(|(_, last)| *last).max_by_key(|last| last.at);
            // not here: the others wait
            let right = Some(Use { at: UnixMillis(10 * game + 1), address: second });
            wrong.extend((last != right).then_some((game, last)));
        }
    });
    assert_eq!(wrong, []);
}
