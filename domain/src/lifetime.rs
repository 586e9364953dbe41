//! How long tokens may live: the policy of an account for one kind, and what it makes of a wish.

use std::time::Duration;

use crate::{
    duration,
    time::{UnixMillis, millis},
};

/// The policy for one kind of token in one account; `None`: no rule. Lives are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LifetimePolicy {
    /// How long a token lives for which nothing is asked.
    pub default_ms: Option<i64>,
    /// How long one lives at the most.
    pub maximum_ms: Option<i64>,
    /// Whether each must have an end.
    pub required: bool,
    /// One that was not used for so long ends.
    pub maximum_idle_ms: Option<i64>,
}

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A life of nothing, or one that leaves the calendar.
    #[error("must be at least one second and at most 5200 weeks")]
    OutOfRange,
    /// The default is longer than the maximum.
    #[error("must not be longer than the maximum")]
    DefaultTooLong,
    /// An end is required, and nothing says which one a token gets for which none is asked.
    #[error("needs a default or a maximum")]
    NoEnd,
}

/// What is asked for a new token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// That it ends then.
    Until(UnixMillis),
    /// That it never ends.
    Never,
}

/// What is asked for a new token, and what its door makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// What is asked.
    pub asked: Asked,
    /// When one ends for which nothing is asked, where the policy has no default.
    pub usual: Option<UnixMillis>,
    /// It ends then at the latest, whatever is asked: the longest life that the door knows, or the
    /// end of what it is minted with.
    pub ceiling: Option<UnixMillis>,
}

impl Wish {
    /// Nothing is asked, where the door has a usual end or none.
    pub const fn usual(end: Option<UnixMillis>) -> Self {
        Self { asked: Asked::Nothing, usual: end, ceiling: None }
    }

    /// This end is asked, or else the usual one.
    #[must_use]
    pub fn asking(self, end: Option<UnixMillis>) -> Self {
        Self { asked: end.map_or(self.asked, Asked::Until), ..self }
    }

    /// The same, with an end at `ceiling` at the latest.
    #[must_use]
    pub fn within(self, ceiling: Option<UnixMillis>) -> Self {
        Self { ceiling: [self.ceiling, ceiling].into_iter().flatten().min(), ..self }
    }
}

/// What becomes of a wish beyond the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The token lives as long as it may.
    Shorten,
    /// There is no token.
    Refuse,
}

/// A wish that the policy does not grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// It is longer than the maximum.
    #[error("must be at most `{}` away, as the lifetime policy says", duration::show(*.0))]
    Maximum(Duration),
    /// An end is required.
    #[error("must be given: the lifetime policy requires an end")]
    Required,
}

impl LifetimePolicy {
    /// Checks that the rules can be kept.
    ///
    /// # Errors
    /// The first rule that cannot, with the name of the field.
    pub fn check(&self) -> Result<(), (&'static str, PolicyError)> {
        let lives = [
            ("defaultLifetime", self.default_ms),
            ("maximumLifetime", self.maximum_ms),
            ("maximumIdle", self.maximum_idle_ms),
        ];
        let good = 1000..=millis(duration::LONGEST);
        for (field, life) in lives {
            if life.is_some_and(|life| !good.contains(&life)) {
                return Err((field, PolicyError::OutOfRange));
            }
        }
        match (self.default_ms, self.maximum_ms) {
            (Some(default), Some(maximum)) if default > maximum => {
                Err(("defaultLifetime", PolicyError::DefaultTooLong))
            }
            (None, None) if self.required => Err(("required", PolicyError::NoEnd)),
            _ => Ok(()),
        }
    }

    /// When a token that is made `now` ends; `None` is never.
    ///
    /// # Errors
    /// With [`Beyond::Refuse`], when more is asked than the policy grants.
    pub fn end(
        &self,
        now: UnixMillis,
        wish: Wish,
        beyond: Beyond,
    ) -> Result<Option<UnixMillis>, TooLong> {
        let longest = self.maximum_ms.map(|ms| now.plus_ms(ms));
        let default = self.default_ms.map(|ms| now.plus_ms(ms));
        if beyond == Beyond::Refuse {
            let maximum = || {
                let ms = self.maximum_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
                TooLong::Maximum(Duration::from_millis(ms))
            };
            match wish.asked {
                Asked::Until(at) if longest.is_some_and(|longest| at > longest) => {
                    return Err(maximum());
                }
                Asked::Never if self.required || longest.is_some() => {
                    return Err(TooLong::Required);
                }
                Asked::Nothing | Asked::Until(_) | Asked::Never => {}
            }
        }
        let wanted = match wish.asked {
            Asked::Nothing => default.or(wish.usual),
            Asked::Until(at) => Some(at),
            Asked::Never if self.required => default,
            Asked::Never => None,
        };
        Ok([wanted, longest, wish.ceiling].into_iter().flatten().min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000_000);

    fn after(seconds: i64) -> UnixMillis {
        NOW.plus_ms(seconds * 1000)
    }

    fn policy(default_s: Option<i64>, maximum_s: Option<i64>, required: bool) -> LifetimePolicy {
        let ms = |s: i64| s * 1000;
        LifetimePolicy {
            default_ms: default_s.map(ms),
            maximum_ms: maximum_s.map(ms),
            required,
            maximum_idle_ms: None,
        }
    }

    #[test]
    fn each_wish_gets_what_the_policy_grants() {
        let wish = |asked, usual, ceiling| Wish { asked, usual, ceiling };
        let until = |s| Asked::Until(after(s));
        for (policy, wish, end) in [
            (policy(None, None, false), Wish::default(), None),
            (
                policy(None, None, false),
                wish(Asked::Nothing, Some(after(50)), None),
                Some(after(50)),
            ),
            (
                policy(Some(20), None, false),
                wish(Asked::Nothing, Some(after(50)), None),
                Some(after(20)),
            ),
            (
                policy(Some(20), None, false),
                wish(Asked::Nothing, Some(after(50)), Some(after(10))),
                Some(after(10)),
            ),
            (policy(Some(20), Some(30), false), wish(until(60), None, None), Some(after(30))),
            (policy(Some(20), Some(30), false), wish(until(25), None, None), Some(after(25))),
            (
                policy(Some(20), Some(30), false),
                wish(until(25), None, Some(after(5))),
                Some(after(5)),
            ),
            (policy(None, Some(30), false), wish(Asked::Never, None, None), Some(after(30))),
            (policy(None, Some(30), false), Wish::default(), Some(after(30))),
            (policy(Some(20), None, true), wish(Asked::Never, None, None), Some(after(20))),
            (policy(Some(20), None, false), wish(Asked::Never, None, None), None),
            (policy(Some(20), None, true), wish(until(600), None, None), Some(after(600))),
        ] {
            assert_eq!(policy.end(NOW, wish, Beyond::Shorten), Ok(end), "{policy:?} {wish:?}");
        }
    }

    #[test]
    fn who_asks_for_too_much_is_refused_where_refusals_are_understood() {
        let refused = |policy: LifetimePolicy, asked| {
            policy.end(NOW, Wish { asked, ..Wish::default() }, Beyond::Refuse)
        };
        let until = |s| Asked::Until(after(s));
        assert_eq!(
            refused(policy(None, Some(30), false), until(31)),
            Err(TooLong::Maximum(Duration::from_secs(30)))
        );
        assert_eq!(refused(policy(None, Some(30), false), until(30)), Ok(Some(after(30))));
        assert_eq!(refused(policy(None, Some(30), false), Asked::Never), Err(TooLong::Required));
        assert_eq!(refused(policy(Some(5), None, true), Asked::Never), Err(TooLong::Required));
        assert_eq!(refused(policy(Some(5), None, false), Asked::Never), Ok(None));
        assert_eq!(refused(policy(None, Some(30), true), Asked::Nothing), Ok(Some(after(30))));
        let text = TooLong::Maximum(Duration::from_secs(90 * 86_400)).to_string();
        assert_eq!(text, "must be at most `90d` away, as the lifetime policy says");
    }

    #[test]
    fn rules_that_cannot_be_kept_are_refused() {
        for (bad, field) in [
            (policy(Some(31), Some(30), false), "defaultLifetime"),
            (policy(Some(0), None, false), "defaultLifetime"),
            (policy(None, Some(-1), false), "maximumLifetime"),
            (policy(None, Some(i64::MAX / 1000), false), "maximumLifetime"),
            (policy(None, None, true), "required"),
        ] {
            assert_eq!(bad.check().map_err(|(field, _)| field), Err(field), "{bad:?}");
        }
        for good in [policy(None, None, false), policy(Some(30), Some(30), true)] {
            assert_eq!(good.check(), Ok(()));
        }
    }
}
